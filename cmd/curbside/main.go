// Command curbside is the node, its command line and its terminal interface in one program.
package main

func main() {}
