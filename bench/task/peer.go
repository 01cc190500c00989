// The peer in Go: goroutines, channels, sync.Mutex, time.
//
//	task-go CASE name=value...
//
// The cases are told in measure.h. A loop that others call into is a goroutine that receives functions. How many
// processors the goroutines share is what the system tells the program.
//
// SPDX-License-Identifier: MIT
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ---- arguments, output, checks ----

func text(name, otherwise string) string {
	for _, word := range os.Args[2:] {
		if strings.HasPrefix(word, name+"=") {
			return word[len(name)+1:]
		}
	}
	return otherwise
}

func number(name string, otherwise int) int {
	value, err := strconv.Atoi(text(name, strconv.Itoa(otherwise)))
	if err != nil {
		fail("%s is not a number", name)
	}
	return value
}

func fail(format string, values ...interface{}) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", values...)
	os.Exit(1)
}

func expect(what string, found, expected int64) {
	if found != expected {
		fail("%s: %d and not %d", what, found, expected)
	}
}

func sum(count int) int64 {
	return int64(count) * int64(count-1) / 2
}

func printEach(name string, duration time.Duration, count int) {
	fmt.Println(name, int64(1000*float64(duration.Nanoseconds())/float64(count)))
}

func repeat(name string, count int, run func(count int) time.Duration) {
	count = number("count", count)
	for i := 0; i <= number("times", 5); i++ {
		duration := run(count)
		if i > 0 {
			printEach(name, duration, count)
		}
	}
}

// ---- yield, spawn ----

func yields(count int) time.Duration {
	var both sync.WaitGroup
	last, changes := -1, 0
	play := func(me int) {
		for i := 0; i < count/2; i++ {
			if last != me {
				changes++
			}
			last = me
			runtime.Gosched()
		}
		both.Done()
	}
	both.Add(2)
	start := time.Now()
	go play(0)
	go play(1)
	both.Wait()
	duration := time.Since(start)
	if changes < count-count/10 { // now and then it takes the same one again
		fail("of %d turns, only %d were the other's", count, changes)
	}
	return duration
}

func spawns(count int) time.Duration {
	tasks := number("tasks", 1)
	ran := make([]int64, tasks)
	var group sync.WaitGroup
	start := time.Now()
	for i := 0; i < count; i += tasks {
		group.Add(tasks)
		for k := 0; k < tasks; k++ {
			go func(k int) {
				ran[k]++
				group.Done()
			}(k)
		}
		group.Wait()
	}
	duration := time.Since(start)
	for _, times := range ran {
		expect("goroutines that ran", times, int64((count+tasks-1)/tasks))
	}
	return duration
}

// ---- queues ----

func stream(count int) time.Duration {
	queue := make(chan int64, number("capacity", 1024))
	producers, consumers := number("producers", 1), number("consumers", 1)
	var all sync.WaitGroup
	var total int64
	all.Add(producers + consumers)
	start := time.Now()
	for p := 0; p < producers; p++ {
		go func(first int) {
			for i := first; i < count; i += producers {
				queue <- int64(i)
			}
			all.Done()
		}(p)
	}
	for c := 0; c < consumers; c++ {
		go func(first int) {
			var mine int64
			for i := first; i < count; i += consumers {
				mine += <-queue
			}
			atomic.AddInt64(&total, mine)
			all.Done()
		}(c)
	}
	all.Wait()
	duration := time.Since(start)
	expect("the sum of the items", total, sum(count))
	return duration
}

func echoes(count int) time.Duration {
	there, back := make(chan int64, 1), make(chan int64, 1)
	start := time.Now()
	go func() {
		for i := 0; i < count; i++ {
			back <- <-there + 1
		}
	}()
	for i := 0; i < count; i++ {
		there <- int64(i)
		expect("the answer", <-back, int64(i+1))
	}
	return time.Since(start)
}

// ---- mutexes ----

func locks(count int) time.Duration {
	var mutex sync.Mutex
	counted := 0
	start := time.Now()
	for i := 0; i < count; i++ {
		mutex.Lock()
		counted++
		mutex.Unlock()
	}
	duration := time.Since(start)
	expect("what was counted", int64(counted), int64(count))
	return duration
}

func contend() {
	for i := 0; i < number("times", 5); i++ {
		var mutex sync.Mutex
		var over int32
		var counted, claims int64
		var both sync.WaitGroup
		both.Add(2)
		start := time.Now()
		for k := 0; k < 2; k++ {
			go func() {
				var done int64
				for atomic.LoadInt32(&over) == 0 {
					mutex.Lock()
					counted++
					mutex.Unlock()
					done++
				}
				atomic.AddInt64(&claims, done)
				both.Done()
			}()
		}
		time.Sleep(time.Duration(number("milliseconds", 50)) * time.Millisecond)
		atomic.StoreInt32(&over, 1)
		both.Wait()
		duration := time.Since(start)
		expect("what was counted", counted, claims)
		printEach("contend", duration, int(counted))
	}
}

// ---- calls into a loop ----

func calls() {
	count, bursts := number("calls", 100000), number("bursts", 1)
	loop := make(chan func(), 1024)
	go func() {
		for function := range loop {
			function()
		}
	}()
	repeat("call", count*bursts, func(int) time.Duration {
		var all time.Duration
		for b := 0; b < bursts; b++ {
			var total, called int64
			done := make(chan bool)
			time.Sleep(time.Millisecond)
			start := time.Now()
			for i := 0; i < count; i++ {
				value := int64(i)
				loop <- func() {
					total += value
					if called++; called == int64(count) {
						done <- true
					}
				}
			}
			<-done
			all += time.Since(start)
			expect("the sum of the calls", total, sum(count))
		}
		return all
	})
	close(loop)
}

// ---- sleepers ----

// Bytes of memory that this process has, with its page tables.
func resident() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		fail("%v", err)
	}
	var kilobytes int64
	for _, line := range strings.Split(string(status), "\n") {
		if strings.HasPrefix(line, "VmRSS:") || strings.HasPrefix(line, "VmPTE:") {
			one, _ := strconv.ParseInt(strings.Fields(line)[1], 10, 64)
			kilobytes += one
		}
	}
	return 1024 * kilobytes
}

// how=select: each waits for a timer and for the channel that ends them all; how=sleep: in time.Sleep, which nothing ends.
func sleepers() {
	count := number("count", 1000000)
	var asleep, cancelled int64
	var all sync.WaitGroup
	end := make(chan bool)
	body := func() {
		atomic.AddInt64(&asleep, 1)
		timer := time.NewTimer(time.Hour)
		select {
		case <-timer.C:
		case <-end:
			atomic.AddInt64(&cancelled, 1)
		}
		timer.Stop()
		all.Done()
	}
	if text("how", "select") == "sleep" {
		body = func() {
			atomic.AddInt64(&asleep, 1)
			time.Sleep(time.Hour)
		}
	}
	memory, start := resident(), time.Now()
	all.Add(count)
	for i := 0; i < count; i++ {
		go body()
	}
	for atomic.LoadInt64(&asleep) < int64(count) {
		runtime.Gosched()
	}
	printEach("start", time.Since(start), count)
	fmt.Println("memory", resident()-memory)
	if text("how", "select") == "sleep" {
		return
	}
	start = time.Now()
	close(end)
	all.Wait()
	printEach("cancel", time.Since(start), count)
	expect("sleepers that were cancelled", cancelled, int64(count))
}

// ---- timers ----

func timers(count int) time.Duration {
	var state uint64
	var fired int64
	all := make([]*time.Timer, count)
	start := time.Now()
	for i := range all {
		state = state*6364136223846793005 + 1442695040888963407
		later := time.Duration(3600000+int64(state>>33)%3600000) * time.Millisecond
		all[i] = time.AfterFunc(later, func() { atomic.AddInt64(&fired, 1) })
	}
	stopped := 0
	for _, timer := range all {
		if timer.Stop() {
			stopped++
		}
	}
	duration := time.Since(start)
	expect("timers that were cancelled", int64(stopped), int64(count))
	expect("timers that fired", atomic.LoadInt64(&fired), 0)
	return duration
}

func idle() {
	count := number("count", 1000)
	var asleep int64
	for i := 0; i < count; i++ {
		go func() {
			atomic.AddInt64(&asleep, 1)
			time.Sleep(time.Hour)
		}()
	}
	for atomic.LoadInt64(&asleep) < int64(count) {
		runtime.Gosched()
	}
	fmt.Println("ready", asleep)
	time.Sleep(time.Duration(number("milliseconds", 10000)) * time.Millisecond)
}

func main() {
	cases := map[string]func(){
		"yield":    func() { repeat("yield", 1000000, yields) },
		"spawn":    func() { repeat("spawn", 200000, spawns) },
		"queue":    func() { repeat("queue", 1000000, stream) },
		"echo":     func() { repeat("echo", 200000, echoes) },
		"mutex":    func() { repeat("mutex", 2000000, locks) },
		"contend":  contend,
		"call":     calls,
		"sleepers": sleepers,
		"timers":   func() { repeat("timers", 1000000, timers) },
		"idle":     idle,
		"about":    func() { fmt.Println("Go", strings.TrimPrefix(runtime.Version(), "go")) },
	}
	if len(os.Args) < 2 || cases[os.Args[1]] == nil {
		fail("task-go CASE name=value...")
	}
	cases[os.Args[1]]()
}
