package main

import (
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/Masterminds/sprig/v3"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
)

// use is a variable (a.b.c) that a patch reads.
type use struct {
	Patch    string `json:"patch"`
	Variable string `json:"variable"`
	// Text is the template or the path that names it, for finding the place.
	Text string `json:"text"`
}

// uses are all variables that the patches of the class read; templates that do not parse have none.
func (c *class) uses() []use {
	found := []use{}
	if c.object == nil {
		return found
	}
	for _, patch := range c.object.Spec.Patches {
		for _, text := range templates(patch) {
			for _, variable := range fields(text) {
				found = append(found, use{patch.Name, variable, text})
			}
		}
		for _, one := range jsonPatches(patch) {
			if one.ValueFrom != nil && one.ValueFrom.Variable != "" {
				found = append(found, use{patch.Name, one.ValueFrom.Variable, one.ValueFrom.Variable})
			}
		}
	}
	return found
}

func jsonPatches(patch clusterv1.ClusterClassPatch) []clusterv1.JSONPatch {
	found := []clusterv1.JSONPatch{}
	for _, definition := range patch.Definitions {
		found = append(found, definition.JSONPatches...)
	}
	return found
}

func templates(patch clusterv1.ClusterClassPatch) []string {
	found := []string{patch.EnabledIf}
	for _, one := range jsonPatches(patch) {
		if one.ValueFrom != nil {
			found = append(found, one.ValueFrom.Template)
		}
	}
	return found
}

// fields are the paths below the data of a template that it reads: .a.b and $.a.b, but not .b inside of `range .a`.
func fields(text string) []string {
	parsed, err := template.New("").Funcs(sprig.HermeticTxtFuncMap()).Parse(text)
	if err != nil || parsed.Tree == nil {
		return nil
	}
	found := []string{}
	walk(parsed.Root, true, func(path []string) { found = append(found, strings.Join(path, ".")) })
	return found
}

// walk visits a template. root: the dot is the data of the template.
func walk(node parse.Node, root bool, visit func([]string)) {
	switch node := node.(type) {
	case *parse.ListNode:
		if node != nil {
			for _, child := range node.Nodes {
				walk(child, root, visit)
			}
		}
	case *parse.ActionNode:
		walk(node.Pipe, root, visit)
	case *parse.IfNode:
		walkBranch(&node.BranchNode, root, root, visit)
	case *parse.RangeNode:
		walkBranch(&node.BranchNode, root, false, visit)
	case *parse.WithNode:
		walkBranch(&node.BranchNode, root, false, visit)
	case *parse.PipeNode:
		if node != nil {
			for _, command := range node.Cmds {
				walk(command, root, visit)
			}
		}
	case *parse.CommandNode:
		for _, argument := range node.Args {
			walk(argument, root, visit)
		}
	case *parse.ChainNode:
		walk(node.Node, root, visit)
	case *parse.FieldNode:
		if root {
			visit(node.Ident)
		}
	case *parse.VariableNode:
		if node.Ident[0] == "$" && len(node.Ident) > 1 {
			visit(node.Ident[1:])
		}
	}
}

// walkBranch visits if, range and with. inner: whether the dot of the first list is still the data.
func walkBranch(node *parse.BranchNode, root, inner bool, visit func([]string)) {
	walk(node.Pipe, root, visit)
	walk(node.List, inner, visit)
	walk(node.ElseList, root, visit)
}
