package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// builtin are the kinds of Kubernetes' own API, of the version that this program is linked with.
var builtin = func() *runtime.Scheme {
	made := runtime.NewScheme()
	_ = scheme.AddToScheme(made)
	_ = apiextensionsv1.AddToScheme(made)
	return made
}()

var strict = json.NewSerializerWithOptions(
	json.DefaultMetaFactory, builtin, builtin, json.SerializerOptions{Strict: true},
)

// groups of Kubernetes itself: a kind in them that this program does not know does not exist.
func kubernetesGroup(group string) bool {
	return group == "" || !strings.Contains(group, ".") || strings.HasSuffix(group, ".k8s.io") && builtin.IsGroupRegistered(group)
}

// shared are groups in which other providers have kinds, too.
var shared = map[string]bool{
	"infrastructure.cluster.x-k8s.io": true,
	"bootstrap.cluster.x-k8s.io":      true,
	"controlplane.cluster.x-k8s.io":   true,
	"ipam.cluster.x-k8s.io":           true,
}

// parseAll returns an object for each text, nil where it is none.
func parseAll(texts []string) []*unstructured.Unstructured {
	objects := make([]*unstructured.Unstructured, 0, len(texts))
	for _, text := range texts {
		content := map[string]any{}
		if yaml.Unmarshal([]byte(text), &content) != nil || content["kind"] == nil {
			objects = append(objects, nil)
			continue
		}
		objects = append(objects, &unstructured.Unstructured{Object: content})
	}
	return objects
}

func (d *definitions) validateAll(objects []*unstructured.Unstructured, kubernetes string) []findings {
	found := make([]findings, 0, len(objects))
	for _, object := range objects {
		if object == nil {
			found = append(found, findings{})
			continue
		}
		found = append(found, d.validate(object, kubernetes))
	}
	return found
}

// validate says what an API server with these definitions would object to.
func (d *definitions) validate(object *unstructured.Unstructured, kubernetes string) findings {
	kind := object.GroupVersionKind()
	if definition := d.find(kind.GroupKind()); definition != nil {
		return d.validateCustom(object, served(definition))
	}
	if builtin.Recognizes(kind) {
		return validateBuiltin(object, kubernetes)
	}
	if kubernetesGroup(kind.Group) {
		return findings{{noVersion, "apiVersion", fmt.Sprintf("Kubernetes %s has no %s in %s", linkedKubernetes, kind.Kind, object.GetAPIVersion())}}
	}
	if d.groups[kind.Group] && !shared[kind.Group] {
		return findings{{noDefinition, "kind", fmt.Sprintf("there is no kind %s in %s", kind.Kind, kind.Group)}}
	}
	return findings{{noDefinition, "", "no definition"}}
}

// validateCustom does for a custom resource what an API server does: unknown fields, defaults, values, lists, rules.
func (d *definitions) validateCustom(object *unstructured.Unstructured, versions []string) findings {
	kind := object.GroupVersionKind()
	rules, err := d.schema(kind)
	if err != nil {
		return findings{{unreadable, "", err.Error()}}
	}
	if rules == nil {
		message := fmt.Sprintf("%s has no version %s, only %s", kind.GroupKind(), kind.Version, strings.Join(versions, ", "))
		return findings{{noVersion, "apiVersion", message}}
	}
	return rules.check(object.DeepCopy().Object)
}

func (c *compiled) check(content map[string]any) findings {
	found := findings{}
	options := structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
	for _, path := range pruning.PruneWithOptions(content, c.structural, true, options) {
		found = append(found, problem{unknownField, path, "unknown field"})
	}
	defaulting.PruneNonNullableNullsWithoutDefaults(content, c.structural)
	defaulting.Default(content, c.structural)
	errors := validation.ValidateCustomResource(nil, content, c.values)
	errors = append(errors, listtype.ValidateListSetsAndMaps(nil, c.structural, content)...)
	if len(errors) == 0 && c.rules != nil {
		// Rules read fields that must have the right type.
		more, _ := c.rules.Validate(context.Background(), nil, c.structural, content, nil, celconfig.RuntimeCELCostBudget)
		errors = append(errors, more...)
	}
	return append(found, problems(errors)...)
}

func problems(errors field.ErrorList) findings {
	found := findings{}
	for _, one := range errors {
		found = append(found, problem{invalid, one.Field, one.ErrorBody()})
	}
	return found
}

// quotedField is how the strict decoder names an unknown field: `unknown field "spec.x[0].y"`.
var quotedField = regexp.MustCompile(`unknown field "([^"]+)"`)

// validateBuiltin decodes a built-in kind strictly, as an API server does with fieldValidation=Strict.
func validateBuiltin(object *unstructured.Unstructured, kubernetes string) findings {
	found := findings{}
	raw, err := object.MarshalJSON()
	if err != nil {
		return findings{{unreadable, "", err.Error()}}
	}
	kind := object.GroupVersionKind()
	decoded, _, err := strict.Decode(raw, &kind, nil)
	switch {
	case err != nil && runtime.IsStrictDecodingError(err):
		for _, match := range quotedField.FindAllStringSubmatch(err.Error(), -1) {
			found = append(found, problem{unknownField, match[1], "unknown field"})
		}
	case err != nil:
		return append(found, problem{invalid, "", err.Error()})
	}
	if life, ok := decoded.(lifecycle); ok {
		found = append(found, age(life, kind, kubernetes)...)
	}
	return found
}

// lifecycle is what versions of Kubernetes' own API say about themselves. All three give major and minor.
type lifecycle interface {
	APILifecycleIntroduced() (int, int)
}

// age compares the life of an API version with the Kubernetes of the clusters.
func age(object lifecycle, kind schema.GroupVersionKind, kubernetes string) findings {
	at, ok := minor(kubernetes)
	if !ok {
		return nil
	}
	name := kind.GroupVersion().String() + " " + kind.Kind
	if _, first := object.APILifecycleIntroduced(); first > at {
		return findings{{introduced, "apiVersion", fmt.Sprintf("%s exists since Kubernetes 1.%d", name, first)}}
	}
	replacement := ""
	if other, ok := object.(interface {
		APILifecycleReplacement() schema.GroupVersionKind
	}); ok {
		replacement = other.APILifecycleReplacement().GroupVersion().String()
	}
	if end, ok := object.(interface{ APILifecycleRemoved() (int, int) }); ok {
		if _, last := end.APILifecycleRemoved(); last <= at {
			return findings{{removed, "apiVersion", gone(name, "was removed in", last, replacement)}}
		}
	}
	if end, ok := object.(interface{ APILifecycleDeprecated() (int, int) }); ok {
		if _, last := end.APILifecycleDeprecated(); last <= at {
			return findings{{deprecated, "apiVersion", gone(name, "is deprecated since", last, replacement)}}
		}
	}
	return nil
}

func gone(name, what string, minor int, replacement string) string {
	text := fmt.Sprintf("%s %s Kubernetes 1.%d", name, what, minor)
	if replacement != "" {
		text += ", use " + replacement
	}
	return text
}

// minor is the 34 of v1.34.7.
func minor(version string) (int, bool) {
	parts := strings.Split(version, ".")
	if len(parts) < 2 {
		return 0, false
	}
	number, err := strconv.Atoi(parts[1])
	return number, err == nil
}
