// Command trivium is the server.
package main

func main() {}
