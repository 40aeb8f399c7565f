// A gin service with the routes that bar-counter/monitor gives it, for a comparison: the heartbeat as text, disk, memory
// and load read anew with every request by gopsutil, and expvar. With -logger it has gin's logger, as gin.Default() does; what
// that writes goes nowhere.
//
// It listens on a free port of this machine and prints the address.
package main

import (
	"expvar"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/gin-gonic/gin"
	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
)

const (
	megabyte = 1 << 20
	gigabyte = 1 << 30
)

type space struct {
	Info        string `json:"info"`
	UsedMB      uint64 `json:"used_mb"`
	UsedGB      uint64 `json:"used_gb"`
	TotalMB     uint64 `json:"total_mb"`
	TotalGB     uint64 `json:"total_gb"`
	UsedPercent int    `json:"used_percent"`
}

func main() {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	if len(os.Args) > 1 && os.Args[1] == "-logger" {
		nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		engine.Use(gin.LoggerWithWriter(nowhere))
	}
	engine.Use(gin.Recovery())
	engine.GET("/empty", func(c *gin.Context) { c.Status(http.StatusOK) })
	engine.GET("/status/health", func(c *gin.Context) { c.String(http.StatusOK, "OK") })
	engine.GET("/status/hardware/disk", diskCheck)
	engine.GET("/status/hardware/ram", ramCheck)
	engine.GET("/status/hardware/cpu", cpuCheck)
	engine.GET("/debug/vars", gin.WrapH(expvar.Handler()))

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(listener.Addr())
	if err := http.Serve(listener, engine); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func diskCheck(c *gin.Context) {
	usage, err := disk.Usage("/")
	if err != nil {
		c.String(http.StatusInternalServerError, err.Error())
		return
	}
	answer(c, usage.Used, usage.Total, usage.UsedPercent, 80, 90)
}

func ramCheck(c *gin.Context) {
	memory, err := mem.VirtualMemory()
	if err != nil {
		c.String(http.StatusInternalServerError, err.Error())
		return
	}
	answer(c, memory.Used, memory.Total, memory.UsedPercent, 80, 95)
}

func answer(c *gin.Context, used, total uint64, percent, warning, critical float64) {
	info, status := "OK", http.StatusOK
	if percent >= critical {
		info, status = "CRITICAL", http.StatusInternalServerError
	} else if percent >= warning {
		info, status = "WARNING", http.StatusTooManyRequests
	}
	c.JSON(status, space{info, used / megabyte, used / gigabyte, total / megabyte, total / gigabyte, int(percent)})
}

func cpuCheck(c *gin.Context) {
	cores, err := cpu.Counts(false)
	if err != nil {
		c.String(http.StatusInternalServerError, err.Error())
		return
	}
	average, err := load.Avg()
	if err != nil {
		c.String(http.StatusInternalServerError, err.Error())
		return
	}
	// One core is always critical by this measure; the status is left out, so that the client sees an answer.
	c.String(http.StatusOK, "\nLoad average: %.2f, %.2f, %.2f | Cores: %d", average.Load1, average.Load5, average.Load15, cores)
}
