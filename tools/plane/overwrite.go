package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/template"

	sprig "github.com/go-task/slim-sprig"
	"gopkg.in/yaml.v3"
)

// overwrite does with overwrite.yaml what the cluster stack operator does: text/template with slim-sprig over the objects
// of a cluster; of the YAML that comes out the string below `values` counts, or everything when there is none.
func overwrite(text string, objects map[string]any) (string, error) {
	parsed, err := template.New("overwrite").Funcs(sprig.TxtFuncMap()).Parse(text)
	if err != nil {
		return "", err
	}
	var printed strings.Builder
	if err := parsed.Execute(&printed, integers(objects)); err != nil {
		return "", err
	}
	var read any
	if err := yaml.Unmarshal([]byte(printed.String()), &read); err != nil {
		return "", fmt.Errorf("the rendering is not YAML: %w", err)
	}
	if content, ok := read.(map[string]any); ok {
		if values, ok := content["values"].(string); ok {
			return values, nil
		}
	}
	return printed.String(), nil
}

// integers turns numbers of JSON into those of an unstructured object of Kubernetes.
func integers(value any) any {
	switch value := value.(type) {
	case json.Number:
		if whole, err := value.Int64(); err == nil {
			return whole
		}
		number, _ := value.Float64()
		return number
	case map[string]any:
		made := make(map[string]any, len(value))
		for key, inner := range value {
			made[key] = integers(inner)
		}
		return made
	case []any:
		made := make([]any, len(value))
		for i, inner := range value {
			made[i] = integers(inner)
		}
		return made
	}
	return value
}
