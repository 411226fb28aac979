// Package wire is the generated form of busbar.proto, the schema of what a
// station and its center exchange.
//
// It implements Protocol Buffers, version 3.
//
// Only package envelope, which checks what arrives and turns it into the words
// of the product, imports it.
//
// Its values belong to whoever makes them.
//
// It is never edited by hand: with protoc and protoc-gen-go v1.36.12 in the PATH,
// go generate ./uplink/envelope/wire makes it anew.
package wire

//go:generate protoc --proto_path=.. --go_out=. --go_opt=paths=source_relative busbar.proto
