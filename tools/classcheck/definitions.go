package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

// definitions are the custom resources that an API server would know. Files are parsed when a kind in them is asked for:
// parsing all 51 takes ten times as long as a stack needs.
type definitions struct {
	lock    sync.Mutex
	files   map[string][]byte
	parsed  map[schema.GroupKind]*apiextensionsv1.CustomResourceDefinition
	schemas map[schema.GroupVersionKind]*compiled
	// groups of the management plane: unknown kinds of other groups are nobody's business.
	groups map[string]bool
}

// compiled is the schema of one version of a custom resource in the three forms that an API server uses.
type compiled struct {
	structural *structuralschema.Structural
	values     validation.SchemaValidator
	rules      *cel.Validator
}

// newDefinitions reads all files below the directories; their names start with the group.
func newDefinitions(directories []string) (*definitions, error) {
	found := emptyDefinitions()
	for _, directory := range directories {
		err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".yaml") {
				return err
			}
			content, err := os.ReadFile(path)
			if err == nil && bytes.Contains(content, []byte("kind: CustomResourceDefinition\n")) {
				found.files[path] = content
				found.groups[strings.SplitN(filepath.Base(path), "_", 2)[0]] = true
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("cannot read definitions: %w", err)
		}
	}
	return found, nil
}

func emptyDefinitions() *definitions {
	return &definitions{
		files:   map[string][]byte{},
		parsed:  map[schema.GroupKind]*apiextensionsv1.CustomResourceDefinition{},
		schemas: map[schema.GroupVersionKind]*compiled{},
		groups:  map[string]bool{},
	}
}

// inClusters are the definitions that addons bring themselves: an addon cannot count on those of the management plane.
func (d *definitions) inClusters(addons []*unstructured.Unstructured) *definitions {
	found := emptyDefinitions()
	for _, object := range addons {
		if object == nil || object.GetKind() != "CustomResourceDefinition" {
			continue
		}
		definition := &apiextensionsv1.CustomResourceDefinition{}
		if runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, definition) == nil {
			found.add(definition)
		}
	}
	return found
}

func (d *definitions) add(definition *apiextensionsv1.CustomResourceDefinition) {
	kind := schema.GroupKind{Group: definition.Spec.Group, Kind: definition.Spec.Names.Kind}
	d.parsed[kind] = definition
}

// find returns the definition of a kind, or nil.
func (d *definitions) find(kind schema.GroupKind) *apiextensionsv1.CustomResourceDefinition {
	d.lock.Lock()
	defer d.lock.Unlock()
	if definition, ok := d.parsed[kind]; ok {
		return definition
	}
	d.parsed[kind] = nil
	for path, content := range d.files {
		if !strings.HasPrefix(filepath.Base(path), kind.Group+"_") || !bytes.Contains(content, []byte("kind: "+kind.Kind+"\n")) {
			continue
		}
		definition := &apiextensionsv1.CustomResourceDefinition{}
		if yaml.Unmarshal(content, definition) == nil && definition.Spec.Names.Kind == kind.Kind {
			d.add(definition)
		}
	}
	return d.parsed[kind]
}

// served are the versions of a definition that an API server answers for.
func served(definition *apiextensionsv1.CustomResourceDefinition) []string {
	names := []string{}
	for _, version := range definition.Spec.Versions {
		if version.Served {
			names = append(names, version.Name)
		}
	}
	return names
}

// schema compiles the schema of one version, or returns nil when the definition has none of that name.
func (d *definitions) schema(kind schema.GroupVersionKind) (*compiled, error) {
	definition := d.find(kind.GroupKind())
	d.lock.Lock()
	defer d.lock.Unlock()
	if known, ok := d.schemas[kind]; ok {
		return known, nil
	}
	for _, version := range definition.Spec.Versions {
		if version.Name != kind.Version || !version.Served || version.Schema == nil {
			continue
		}
		made, err := compile(version.Schema.OpenAPIV3Schema)
		if err != nil {
			return nil, fmt.Errorf("the definition of %s has a schema that cannot be used: %w", kind, err)
		}
		d.schemas[kind] = made
		return made, nil
	}
	return nil, nil
}

func compile(external *apiextensionsv1.JSONSchemaProps) (*compiled, error) {
	internal := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(external, internal, nil); err != nil {
		return nil, err
	}
	structural, err := structuralschema.NewStructural(internal)
	if err != nil {
		return nil, err
	}
	values, _, err := validation.NewSchemaValidator(internal)
	if err != nil {
		return nil, err
	}
	return &compiled{structural, values, cel.NewValidator(structural, true, celconfig.PerCallLimit)}, nil
}
