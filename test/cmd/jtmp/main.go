package main

import (
	"context"
	"fmt"
	"os"

	"github.com/terroir-dev/terroir/test/cluster"
	"github.com/terroir-dev/terroir/test/realnode"
)

func main() {
	c, err := cluster.Attach(os.Args[1])
	if err != nil {
		panic(err)
	}
	n, err := realnode.Join(context.Background(), c, realnode.Options{})
	fmt.Println(n, err)
}
