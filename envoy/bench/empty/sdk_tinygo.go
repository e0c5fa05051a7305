//go:build tinygo

package main

import (
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm"
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"
)

// All that is used of an SDK; this file and its twin differ in nothing but the import path.

type (
	vmBase        = types.DefaultVMContext
	pluginBase    = types.DefaultPluginContext
	streamBase    = types.DefaultHttpContext
	pluginContext = types.PluginContext
	streamContext = types.HttpContext
)

var setVMContext = proxywasm.SetVMContext
