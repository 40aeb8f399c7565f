// Go's side of expvar.rs: publishes variables with expvar itself and writes what its handler answers ("write"), or reads such
// an answer as a client of Go services does and writes what it found ("read").
package main

import (
	"encoding/json"
	"expvar"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"runtime"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if os.Args[1] == "write" {
		publish()
		recorder := httptest.NewRecorder()
		expvar.Handler().ServeHTTP(recorder, httptest.NewRequest("GET", "/debug/vars", nil))
		fmt.Println(recorder.Header().Get("Content-Type"))
		_, err := io.Copy(os.Stdout, recorder.Body)
		return err
	}
	var vars struct {
		Cmdline  []string         `json:"cmdline"`
		Memstats runtime.MemStats `json:"memstats"`
		Counter  int64            `json:"counter"`
		Map      map[string]any   `json:"map"`
	}
	if err := json.NewDecoder(os.Stdin).Decode(&vars); err != nil {
		return err
	}
	fmt.Println(len(vars.Cmdline), vars.Memstats.HeapAlloc > 0, vars.Counter, vars.Map["a"])
	return nil
}

func publish() {
	expvar.NewInt("counter").Add(-3)
	expvar.NewFloat("gauge").Set(1.75)
	expvar.NewString("text").Set("<a & \"b\"\\\n\t\r\b\f\x01ü\u2028🦀")
	published := expvar.NewMap("map")
	published.Add("z", 3)
	published.AddFloat("half", 0.5)
	text := new(expvar.String)
	text.Set("x")
	published.Set("a", text)
	expvar.NewMap("empty")
	expvar.Publish("nothing", expvar.Func(func() any { return nil }))
	expvar.Publish("yes", expvar.Func(func() any { return true }))
	expvar.Publish("huge", expvar.Func(func() any { return 1.5e300 }))
	expvar.Publish("tiny", expvar.Func(func() any { return -2.5e-9 }))
	expvar.Publish("large", expvar.Func(func() any { return uint64(1<<64 - 1) }))
}
