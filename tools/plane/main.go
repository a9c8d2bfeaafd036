// Package main renders the charts of a cluster stack many times in one process: it is linked with helm's engine, so that
// each further set of values costs milliseconds instead of a start of helm. One JSON request on stdin, one JSON answer on
// stdout; it reads the directories of charts that the request names, and nothing else.
//
// Beside the text it tells which template line printed which line: see marks.go.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// version is set by the linker.
var version = "unknown"

// mostInput bounds a request: charts are read from disk, so it holds templates of values and objects of clusters only.
const mostInput = 64 << 20

// request is what is to be rendered. Seconds is the time for each point, MiB the memory for all together.
type request struct {
	Charts  []chartRequest `json:"charts"`
	Seconds float64        `json:"seconds"`
	MiB     uint64         `json:"mib"`
}

// chartRequest is one chart with the sets of values that it is rendered with.
type chartRequest struct {
	// Directory holds the chart, with its dependencies in charts/.
	Directory  string `json:"directory"`
	Release    string `json:"release"`
	Namespace  string `json:"namespace"`
	Kubernetes string `json:"kubernetes"`
	CRDs       bool   `json:"crds"`
	// Overwrite is the text of overwrite.yaml, a template over the objects of each point.
	Overwrite string  `json:"overwrite"`
	Points    []point `json:"points"`
}

// point is one set of values. Marks asks for the source of each line.
type point struct {
	// Values is a YAML text that is laid over what Overwrite gives.
	Values  string         `json:"values"`
	Objects map[string]any `json:"objects"`
	Marks   bool           `json:"marks"`
}

// answer has one list for each chart, with one result for each of its points, in the order of the request.
type answer struct {
	Charts [][]result `json:"charts"`
}

// result is a rendering or an error as helm words it. OverwriteError: the template of the values failed.
type result struct {
	Documents      []document `json:"documents"`
	Error          string     `json:"error,omitempty"`
	OverwriteError string     `json:"overwrite_error,omitempty"`
	// Values is what Overwrite gave, before the values of the point.
	Values string `json:"values,omitempty"`
}

// document is what one template printed. Lines has one entry for each line of Text, or none when that is not known.
type document struct {
	Source string   `json:"source"`
	Text   string   `json:"text"`
	Lines  []origin `json:"lines,omitempty"`
}

// origin is a line of a template, as [file, line]; file is "" where nothing is known.
type origin struct {
	File string
	Line int
}

// MarshalJSON writes the short form: there is one for each line of a rendering.
func (o origin) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{o.File, o.Line})
}

func main() {
	if len(os.Args) > 1 {
		fmt.Println("chartrender", version)
		return
	}
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "chartrender:", err)
		os.Exit(1)
	}
}

func serve(in io.Reader, out io.Writer) error {
	decoder := json.NewDecoder(io.LimitReader(in, mostInput))
	// numbers of objects must print as they do in the operator, which has them as integers
	decoder.UseNumber()
	var asked request
	if err := decoder.Decode(&asked); err != nil {
		return fmt.Errorf("cannot read the request: %w", err)
	}
	return json.NewEncoder(out).Encode(answer{bounded(asked)})
}
