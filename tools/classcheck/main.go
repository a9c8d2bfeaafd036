// Package main answers what Cluster API and an API server would say about the objects of a cluster stack, without either:
// it is linked with their own code. One JSON request on stdin, one JSON answer on stdout, nothing else is read but the
// directories of definitions that the request names.
//
// The module's path lies below Cluster API's, for only such modules may import its internal packages: the webhook of
// ClusterClasses and the validation of variables have no other door.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

// version is set by the linker.
var version = "unknown"

// mostInput bounds a request: the largest real stack renders to 2 MB.
const mostInput = 256 << 20

// request is what scs-ci asks about one stack. All documents are YAML texts, each with one object.
type request struct {
	// Definitions are directories with CustomResourceDefinitions, searched recursively.
	Definitions []string `json:"definitions"`
	// Kubernetes is the version of the clusters, v1.34.7.
	Kubernetes string `json:"kubernetes"`
	// Class are the documents of the class chart; each is validated, and the ClusterClass among them is evaluated.
	Class []string `json:"class"`
	// Points are the sets of variables that the class is evaluated with.
	Points []point `json:"points"`
	// Addons are documents for the clusters; custom resources of addons are validated where a definition is among them.
	Addons []string `json:"addons"`
	// Conditions are expressions of addon stages.
	Conditions []condition `json:"conditions"`
	// Embedded are configuration files that machines get, in Kubernetes' own formats.
	Embedded []string `json:"embedded"`
}

// answer has one entry for each document, point and condition of the request, in its order.
type answer struct {
	Class      []findings     `json:"class"`
	Refused    []problem      `json:"refused"`
	Uses       []use          `json:"uses"`
	Points     []pointFailure `json:"points"`
	Addons     []findings     `json:"addons"`
	Conditions []string       `json:"conditions"`
	Embedded   []findings     `json:"embedded"`
}

// findings are the problems of one document.
type findings []problem

// problem says what is wrong at a path (a.b[0].c) of an object.
type problem struct {
	// Kind is one of the constants below.
	Kind    string `json:"kind"`
	Path    string `json:"path"`
	Message string `json:"message"`
}

// Kinds of problems: the last three tell that there is no verdict on the object, or that its version has an end.
const (
	unreadable   = "unreadable"
	unknownField = "unknown-field"
	invalid      = "invalid"
	noDefinition = "no-definition"
	noVersion    = "no-version"
	deprecated   = "deprecated"
	removed      = "removed"
	introduced   = "introduced"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "--version" {
		fmt.Println("classcheck", version)
		return
	}
	// It lives for a second or two and has the memory: collecting garbage took a fifth of that.
	debug.SetGCPercent(400)
	// Libraries log what the answer says anyway; stderr is for failures of this program.
	klog.SetLogger(klog.Logger{})
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	ctrl.SetLogger(klog.Background())
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "classcheck:", err)
		os.Exit(1)
	}
}

// serve answers the request on in.
func serve(in io.Reader, out io.Writer) error {
	var asked request
	if err := json.NewDecoder(io.LimitReader(in, mostInput)).Decode(&asked); err != nil {
		return fmt.Errorf("cannot read the request: %w", err)
	}
	found, err := judge(&asked)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(found)
}

// judge answers all parts of a request.
func judge(asked *request) (*answer, error) {
	known, err := newDefinitions(asked.Definitions)
	if err != nil {
		return nil, err
	}
	objects := parseAll(asked.Class)
	found := &answer{Class: known.validateAll(objects, asked.Kubernetes)}
	if class := newClass(objects, known); class != nil {
		found.Refused = class.refused
		found.Uses = class.uses()
		found.Points = class.evaluate(asked.Points, asked.Kubernetes)
	}
	addons := parseAll(asked.Addons)
	clusters := known.inClusters(addons)
	found.Addons = clusters.validateAll(addons, asked.Kubernetes)
	for _, one := range asked.Conditions {
		found.Conditions = append(found.Conditions, one.check())
	}
	for _, text := range asked.Embedded {
		found.Embedded = append(found.Embedded, checkEmbedded(text))
	}
	return found, nil
}
