package main

import (
	"fmt"

	"github.com/google/cel-go/cel"
)

// condition is an expression over objects that the cluster stack operator fetches, each a map under its key.
type condition struct {
	Keys       []string `json:"keys"`
	Expression string   `json:"expression"`
}

// check compiles an expression in the operator's environment; the answer is empty when that is possible and the result
// may be a boolean.
func (c condition) check() string {
	env, err := cel.NewEnv()
	for _, key := range c.Keys {
		if err == nil {
			env, err = env.Extend(cel.Variable(key, cel.MapType(cel.StringType, cel.AnyType)))
		}
	}
	if err != nil {
		return err.Error()
	}
	compiled, issues := env.Compile(c.Expression)
	if issues.Err() != nil {
		return issues.Err().Error()
	}
	// What comes out of an object has the type any or dyn until it is there.
	if kind := compiled.OutputType(); kind.Kind() != cel.BoolKind && kind.Kind() != cel.DynKind && kind.Kind() != cel.AnyKind {
		return fmt.Sprintf("the result is a %s, not a bool", kind)
	}
	return ""
}
