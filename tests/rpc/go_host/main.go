// A host made with the stock go-plugin client: starts a provider with automatic mutual TLS, calls its four
// methods, and says what came of it as one JSON object.
//
//	go_host EXECUTABLE ARGUMENTS... < settings.json
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/ioutil"
	"os"
	"os/exec"
	"time"

	"github.com/golang/protobuf/proto"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// The messages of provider.proto, as protoc-gen-go declares them.
type ConfigureRequest struct {
	Config []byte `protobuf:"bytes,1,opt,name=config,proto3"`
}
type Empty struct{}
type SchemaResponse struct {
	Schema []byte `protobuf:"bytes,1,opt,name=schema,proto3"`
}
type CallFunctionRequest struct {
	Function string `protobuf:"bytes,1,opt,name=function,proto3"`
	Input    []byte `protobuf:"bytes,2,opt,name=input,proto3"`
}
type CallFunctionResponse struct {
	Output []byte `protobuf:"bytes,1,opt,name=output,proto3"`
}
type ErrorResponse struct {
	Json []byte `protobuf:"bytes,1,opt,name=json,proto3"`
}

func (m *ConfigureRequest) Reset()             { *m = ConfigureRequest{} }
func (m *ConfigureRequest) String() string     { return "configuration" }
func (m *ConfigureRequest) ProtoMessage()      {}
func (m *Empty) Reset()                        { *m = Empty{} }
func (m *Empty) String() string                { return "" }
func (m *Empty) ProtoMessage()                 {}
func (m *SchemaResponse) Reset()               { *m = SchemaResponse{} }
func (m *SchemaResponse) String() string       { return string(m.Schema) }
func (m *SchemaResponse) ProtoMessage()        {}
func (m *CallFunctionRequest) Reset()          { *m = CallFunctionRequest{} }
func (m *CallFunctionRequest) String() string  { return m.Function }
func (m *CallFunctionRequest) ProtoMessage()   {}
func (m *CallFunctionResponse) Reset()         { *m = CallFunctionResponse{} }
func (m *CallFunctionResponse) String() string { return string(m.Output) }
func (m *CallFunctionResponse) ProtoMessage()  {}
func (m *ErrorResponse) Reset()                { *m = ErrorResponse{} }
func (m *ErrorResponse) String() string        { return string(m.Json) }
func (m *ErrorResponse) ProtoMessage()         {}

type providerPlugin struct {
	plugin.NetRPCUnsupportedPlugin
}

func (providerPlugin) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error {
	return fmt.Errorf("this is a host")
}

func (providerPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, connection *grpc.ClientConn) (interface{}, error) {
	return connection, nil
}

const service = "/kolumn.provider.v1.Provider/"

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "FAILED:", err)
		os.Exit(1)
	}
}

func main() {
	proto.RegisterType((*ErrorResponse)(nil), "kolumn.provider.v1.ErrorResponse")
	settings, err := ioutil.ReadAll(os.Stdin)
	check(err)
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion:  1,
			MagicCookieKey:   "KOLUMN_PLUGIN_MAGIC_COOKIE",
			MagicCookieValue: "4c1f8b0e6d2a4f7f9c3e5a7b1d0f2846",
		},
		Plugins:          map[string]plugin.Plugin{"provider": providerPlugin{}},
		Cmd:              exec.Command(os.Args[1], os.Args[2:]...),
		AutoMTLS:         true,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger:           hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: os.Stderr}),
		SyncStdout:       os.Stderr,
	})
	defer client.Kill()
	connected, err := client.Client()
	check(err)
	check(connected.Ping())
	raw, err := connected.Dispense("provider")
	check(err)
	connection := raw.(*grpc.ClientConn)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	found := map[string]interface{}{}

	schema := &SchemaResponse{}
	check(connection.Invoke(ctx, service+"Schema", &Empty{}, schema))
	found["schema"] = json.RawMessage(schema.Schema)
	check(connection.Invoke(ctx, service+"Configure", &ConfigureRequest{Config: settings}, &Empty{}))
	for _, function := range []string{"Ping", "Version", "DiscoverResources"} {
		answer := &CallFunctionResponse{}
		request := &CallFunctionRequest{Function: function, Input: []byte("{}")}
		if function == "DiscoverResources" {
			request.Input = []byte(`{"resource_type": ""}`)
		}
		check(connection.Invoke(ctx, service+"CallFunction", request, answer))
		found[function] = json.RawMessage(answer.Output)
	}
	err = connection.Invoke(ctx, service+"CallFunction", &CallFunctionRequest{Function: "Nonsense"}, &Empty{})
	found["status"] = status.Code(err).String()
	for _, detail := range status.Convert(err).Details() {
		if response, ok := detail.(*ErrorResponse); ok {
			found["error"] = json.RawMessage(response.Json)
		}
	}
	check(connection.Invoke(ctx, service+"Close", &Empty{}, &Empty{}))
	started := time.Now()
	client.Kill()
	found["kill_ms"] = time.Since(started).Milliseconds()
	found["exited"] = client.Exited()
	check(json.NewEncoder(os.Stdout).Encode(found))
}
