// What Go itself makes of a runtime.MemStats.
//
//	go run main.go           decodes one from standard input, strictly, and writes it again
//	go run main.go numbered  writes one whose values are 1, 2, 3 and so on in the order of its fields
//	go run main.go pauses    decodes one and writes its last pauses, newest first, as runtime/debug.ReadGCStats does:
//	                         nanoseconds and end of each
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime"
)

func main() {
	var stats runtime.MemStats
	var err error
	if len(os.Args) > 1 && os.Args[1] == "numbered" {
		next := uint64(0)
		number(reflect.ValueOf(&stats).Elem(), &next)
	} else {
		err = decode(&stats)
	}
	if err == nil && len(os.Args) > 1 && os.Args[1] == "pauses" {
		pauses(&stats)
	} else if err == nil {
		err = encode(&stats)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func decode(stats *runtime.MemStats) error {
	decoder := json.NewDecoder(os.Stdin)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(stats); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return fmt.Errorf("there is more than one value: %v", err)
	}
	return nil
}

func encode(stats *runtime.MemStats) error {
	text, err := json.Marshal(stats)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(text)
	return err
}

// pauses follows what runtime.MemStats says of its rings: the newest is at (NumGC+255)%256.
func pauses(stats *runtime.MemStats) {
	kept := min(stats.NumGC, uint32(len(stats.PauseNs)))
	for back := range kept {
		at := (stats.NumGC - back + 255) % 256
		fmt.Println(stats.PauseNs[at], stats.PauseEnd[at])
	}
}

// number sets every value to the next number: a fraction to so many 1024ths, a truth to true.
func number(value reflect.Value, next *uint64) {
	switch value.Kind() {
	case reflect.Struct:
		for i := range value.NumField() {
			number(value.Field(i), next)
		}
		return
	case reflect.Array:
		for i := range value.Len() {
			number(value.Index(i), next)
		}
		return
	}
	*next++
	switch value.Kind() {
	case reflect.Uint32, reflect.Uint64:
		value.SetUint(*next)
	case reflect.Float64:
		value.SetFloat(float64(*next) / 1024)
	case reflect.Bool:
		value.SetBool(true)
	default:
		panic(value.Kind().String())
	}
}
