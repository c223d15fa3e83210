// Command s3 serves a folder as S3, for the tests: versitygw, a gateway that
// checks signatures and takes multipart uploads as object stores do. The
// credentials are those in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
//
//	s3 ADDR FOLDER HEALTHPATH
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: s3 ADDR FOLDER HEALTHPATH")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, os.Args[1], os.Args[2], os.Args[3]); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "s3:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, addr, folder, health string) error {
	// Beside the objects, because not every file system has extended attributes.
	objects, beside := filepath.Join(folder, "objects"), filepath.Join(folder, "attributes")
	for _, dir := range []string{objects, beside} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	attributes, err := meta.NewSideCar(beside)
	if err != nil {
		return err
	}
	backend, err := posix.New(objects, attributes, posix.PosixOpts{SideCarDir: beside})
	if err != nil {
		return err
	}
	return embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
		RootUserAccess: os.Getenv("AWS_ACCESS_KEY_ID"),
		RootUserSecret: os.Getenv("AWS_SECRET_ACCESS_KEY"),
		Ports:          []string{addr},
		MaxConnections: 1024, MaxRequests: 512, MultipartMaxParts: 10_000,
		HealthPath: health,
		KeepAlive:  true,
		Quiet:      true,
	})
}
