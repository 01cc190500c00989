// The peer in Go: an echo server with a goroutine for each connection.
//
//	stream-go echo buffer=4096
//
// What an echo server does is told in server.h. How many processors the goroutines share is what the system tells the
// program.
//
// SPDX-License-Identifier: MIT
package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
)

func fail(format string, values ...interface{}) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", values...)
	os.Exit(1)
}

func bufferSize() int {
	size := 4096
	for _, word := range os.Args[2:] {
		value, err := strconv.Atoi(strings.TrimPrefix(word, "buffer="))
		if err != nil || value <= 0 || !strings.HasPrefix(word, "buffer=") {
			fail("an argument that is not known here: %s", word)
		}
		size = value
	}
	return size
}

// A Write ends when all is written or the connection is lost.
func serve(connection net.Conn, size int) {
	defer connection.Close()
	buffer := make([]byte, size)
	for {
		count, err := connection.Read(buffer)
		if err != nil {
			return
		}
		if _, err = connection.Write(buffer[:count]); err != nil {
			return
		}
	}
}

func echo() {
	size := bufferSize()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		fail("no socket that listens: %v", err)
	}
	fmt.Println("ready", listener.Addr().(*net.TCPAddr).Port)
	for {
		connection, err := listener.Accept()
		if err != nil {
			fail("accept: %v", err)
		}
		go serve(connection, size) // without delay, as all connections in Go
	}
}

func main() {
	cases := map[string]func(){
		"echo":  echo,
		"about": func() { fmt.Println("Go", strings.TrimPrefix(runtime.Version(), "go")) },
	}
	if len(os.Args) < 2 || cases[os.Args[1]] == nil {
		fail("no case of this name")
	}
	cases[os.Args[1]]()
}
