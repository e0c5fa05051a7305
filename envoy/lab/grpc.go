package lab

import (
	"context"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// EchoService is a gRPC service whose messages are google.protobuf.StringValue, so that no code has to
// be generated: Say answers one with one ("missing" with NOT_FOUND), Chat each as it comes.
const EchoService = "lab.Echo"

var chat = grpc.StreamDesc{StreamName: "Chat", ServerStreams: true, ClientStreams: true, Handler: chatHandler}

func newEchoServer() *grpc.Server {
	server := grpc.NewServer()
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: EchoService,
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Say", Handler: sayHandler}},
		Streams:     []grpc.StreamDesc{chat},
	}, struct{}{})
	return server
}

func sayHandler(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	message := new(wrapperspb.StringValue)
	if err := decode(message); err != nil {
		return nil, err
	}
	if message.Value == "missing" {
		return nil, status.Error(codes.NotFound, "nobody says that")
	}
	return message, nil
}

func chatHandler(_ any, stream grpc.ServerStream) error {
	for {
		message := new(wrapperspb.StringValue)
		if err := stream.RecvMsg(message); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := stream.SendMsg(message); err != nil {
			return err
		}
	}
}

// EchoClient calls EchoService. The id, if any, is sent as x-request-id.
type EchoClient struct{ *grpc.ClientConn }

// NewEchoClient connects, when first used, to host:port.
func NewEchoClient(address string) (EchoClient, error) {
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	return EchoClient{conn}, err
}

// Say sends one message and returns the answer.
func (c EchoClient) Say(ctx context.Context, id, message string) (string, error) {
	answer := new(wrapperspb.StringValue)
	err := c.Invoke(withID(ctx, id), "/"+EchoService+"/Say", wrapperspb.String(message), answer)
	return answer.Value, err
}

// Chat opens a stream; say sends one message on it and returns the answer, end closes it.
func (c EchoClient) Chat(ctx context.Context, id string) (say func(string) (string, error), end func() error, err error) {
	stream, err := c.NewStream(withID(ctx, id), &chat, "/"+EchoService+"/Chat")
	if err != nil {
		return nil, nil, err
	}
	answer := new(wrapperspb.StringValue)
	say = func(message string) (string, error) {
		if err := stream.SendMsg(wrapperspb.String(message)); err != nil {
			return "", err
		}
		err := stream.RecvMsg(answer)
		return answer.Value, err
	}
	end = func() error {
		if err := stream.CloseSend(); err != nil {
			return err
		}
		if err := stream.RecvMsg(answer); err != io.EOF {
			return err
		}
		return nil
	}
	return say, end, nil
}

func withID(ctx context.Context, id string) context.Context {
	if id == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "x-request-id", id)
}
