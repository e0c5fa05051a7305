// A plugin that does nothing: what a Wasm filter costs before it is of any use. The benchmark compares
// Routelens with it, so it is built by the same compilers, with the same SDKs.
package main

func main() {} // never runs: a proxy-wasm module is a library

func init() { setVMContext(&vm{}) }

type vm struct{ vmBase }

func (*vm) NewPluginContext(uint32) pluginContext { return &plugin{} }

type plugin struct{ pluginBase }

func (*plugin) NewHttpContext(uint32) streamContext { return &stream{} }

type stream struct{ streamBase }
