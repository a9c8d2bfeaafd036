package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/controllers/clustercache"
	"sigs.k8s.io/cluster-api/exp/topology/desiredstate"
	"sigs.k8s.io/cluster-api/exp/topology/scope"
	"sigs.k8s.io/cluster-api/internal/topology/variables"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// point is a set of variables that a cluster may have.
type point struct {
	Name      string                     `json:"name"`
	Variables map[string]json.RawMessage `json:"variables"`
}

// pointFailure is one thing that goes wrong with a point.
type pointFailure struct {
	Point string `json:"point"`
	// Stage is `values` (the webhook of Clusters refuses them), `patch` (a patch cannot be made or applied), `result`
	// (the patched object is refused), or `class` (nothing can be evaluated).
	Stage string `json:"stage"`
	Patch string `json:"patch"`
	// Object is the kind of the object that is refused.
	Object string `json:"object"`
	problem
}

// named finds the patch in what the patch engine says.
var named = regexp.MustCompile(`for patch "([^"]+)": `)

// evaluate does for every point what the webhook of Clusters and the topology controller do with a Cluster. Points that
// give the same variables once there are defaults are evaluated once.
func (c *class) evaluate(points []point, kubernetes string) []pointFailure {
	if c.object == nil {
		return []pointFailure{}
	}
	c.object.Status.Variables = c.definitionsOfVariables()
	found := make([][]pointFailure, len(points))
	clusters := map[int]*clusterv1.Cluster{}
	first, same := map[string]int{}, map[int]int{}
	for number, one := range points {
		cluster, failures := c.admitted(one, kubernetes)
		found[number] = failures
		if len(failures) > 0 {
			continue
		}
		key := variablesOf(cluster)
		if earlier, ok := first[key]; ok && key != "" {
			same[number] = earlier
			continue
		}
		first[key], clusters[number] = number, cluster
	}
	c.patchAll(points, clusters, found)
	for number, earlier := range same {
		for _, failure := range found[earlier] {
			failure.Point = points[number].Name
			found[number] = append(found[number], failure)
		}
	}
	return append([]pointFailure{}, slices.Concat(found...)...)
}

// variablesOf are the variables of a Cluster in one order; empty when they cannot be told.
func variablesOf(cluster *clusterv1.Cluster) string {
	all := slices.Clone(cluster.Spec.Topology.Variables)
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	text, err := json.Marshal(all)
	if err != nil {
		return ""
	}
	return string(text)
}

// patchAll applies the patches for each of the clusters, by the number of their point, on all processors: points know
// nothing of each other.
func (c *class) patchAll(points []point, clusters map[int]*clusterv1.Cluster, found [][]pointFailure) {
	numbers := slices.Sorted(maps.Keys(clusters))
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(numbers)) {
		own := c.copied()
		group.Go(func() {
			whole := own.object.Spec.Patches
			for at := int(next.Add(1)) - 1; at < len(numbers); at = int(next.Add(1)) - 1 {
				number := numbers[at]
				found[number] = own.patched(points[number].Name, clusters[number])
				own.object.Spec.Patches = whole
			}
		})
	}
	group.Wait()
}

// copied is the class for one worker: the definitions and what is known of objects are for all.
func (c *class) copied() *class {
	own := *c
	own.object = c.object.DeepCopy()
	own.templates = make([]*unstructured.Unstructured, len(c.templates))
	for i, template := range c.templates {
		own.templates[i] = template.DeepCopy()
	}
	return &own
}

// admitted is the Cluster of a point with defaults, or what the webhook of Clusters says against it.
func (c *class) admitted(one point, kubernetes string) (*clusterv1.Cluster, []pointFailure) {
	given := []clusterv1.ClusterVariable{}
	for name, value := range one.Variables {
		given = append(given, clusterv1.ClusterVariable{Name: name, Value: apiextensionsv1.JSON{Raw: value}})
	}
	sort.Slice(given, func(i, j int) bool { return given[i].Name < given[j].Name })
	path := field.NewPath("variables")
	complete, errors := variables.DefaultClusterVariables(given, c.object.Status.Variables, path)
	if len(errors) == 0 {
		errors = variables.ValidateClusterVariables(context.Background(), complete, nil, c.object.Status.Variables, path)
	}
	failures := []pointFailure{}
	for _, one := range problems(errors) {
		failures = append(failures, pointFailure{Stage: "values", problem: one})
	}
	for i := range failures {
		failures[i].Point = one.Name
	}
	return c.cluster(kubernetes, complete), failures
}

// patched applies the patches of the class. What fails is noted and left out, for it would hide what comes after it.
func (c *class) patched(point string, cluster *clusterv1.Cluster) []pointFailure {
	found := []pointFailure{}
	for {
		state, err := c.desired(cluster)
		if err == nil {
			return append(found, c.refusedResults(point, cluster, state)...)
		}
		match := named.FindStringSubmatch(err.Error())
		if match == nil || !c.drop(match[1], err.Error()) {
			return append(found, pointFailure{Point: point, Stage: "class", problem: problem{invalid, "", err.Error()}})
		}
		_, message, _ := strings.Cut(err.Error(), match[0])
		found = append(found, pointFailure{Point: point, Stage: "patch", Patch: match[1], problem: problem{invalid, "", message}})
	}
}

// drop takes the operation that a message names by its path out of a patch, or the whole patch when it names none.
func (c *class) drop(name, message string) bool {
	kept := []clusterv1.ClusterClassPatch{}
	dropped := false
	for _, patch := range c.object.Spec.Patches {
		switch rest, ok := withoutFailing(patch, message); {
		case patch.Name != name:
			kept = append(kept, patch)
		case ok:
			kept, dropped = append(kept, rest), true
		default:
			dropped = true
		}
	}
	c.object.Spec.Patches = kept
	return dropped
}

// withoutFailing is a copy of the patch without the operation whose path is in the message; false when there is none.
func withoutFailing(patch clusterv1.ClusterClassPatch, message string) (clusterv1.ClusterClassPatch, bool) {
	rest := *patch.DeepCopy()
	for i, definition := range rest.Definitions {
		for j, one := range definition.JSONPatches {
			at := strings.Index(message, one.Path)
			if at < 0 || strings.HasPrefix(message[at+len(one.Path):], "/") {
				continue
			}
			rest.Definitions[i].JSONPatches = append(definition.JSONPatches[:j:j], definition.JSONPatches[j+1:]...)
			return rest, true
		}
	}
	return rest, false
}

// desired is what the topology controller would create. A panic in a patch is Cluster API's own error.
func (c *class) desired(cluster *clusterv1.Cluster) (_ *scope.ClusterState, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("Cluster API panics: %v", panicked)
		}
	}()
	blueprint, err := c.blueprint(cluster)
	if err != nil {
		return nil, err
	}
	generator, err := desiredstate.NewGenerator(contracts{}, struct{ clustercache.ClusterCache }{}, nil, nil, nil)
	if err != nil {
		return nil, err
	}
	asked := scope.New(cluster)
	asked.Blueprint = blueprint
	asked.Current.ControlPlane = &scope.ControlPlaneState{}
	return generator.Generate(context.Background(), asked)
}

// refusedResults validates the objects and finds the patch that spoils them: the first with which they are refused.
func (c *class) refusedResults(point string, cluster *clusterv1.Cluster, state *scope.ClusterState) []pointFailure {
	found := []pointFailure{}
	for _, failure := range c.refusals(state) {
		failure.Point, failure.Stage = point, "result"
		failure.Patch = c.culprit(cluster, failure)
		found = append(found, failure)
	}
	return found
}

// culprit is the name of that patch, empty when the templates themselves are refused.
func (c *class) culprit(cluster *clusterv1.Cluster, failure pointFailure) string {
	all := c.object.Spec.Patches
	defer func() { c.object.Spec.Patches = all }()
	shows := func(count int) bool {
		c.object.Spec.Patches = all[:count]
		state, err := c.desired(cluster)
		if err != nil {
			return false
		}
		for _, other := range c.refusals(state) {
			if other.Object == failure.Object && other.problem == failure.problem {
				return true
			}
		}
		return false
	}
	first := sort.Search(len(all), func(count int) bool { return shows(count) })
	if first == 0 {
		return ""
	}
	return all[first-1].Name
}

// refusals validates the objects that the topology controller would create; those of equal kind are alike.
func (c *class) refusals(state *scope.ClusterState) []pointFailure {
	objects := []*unstructured.Unstructured{
		state.InfrastructureCluster, state.ControlPlane.Object, state.ControlPlane.InfrastructureMachineTemplate,
	}
	for _, workers := range state.MachineDeployments {
		objects = append(objects, workers.BootstrapTemplate, workers.InfrastructureMachineTemplate)
	}
	for _, workers := range state.MachinePools {
		objects = append(objects, workers.BootstrapObject, workers.InfrastructureMachinePoolObject)
	}
	found := []pointFailure{}
	for _, object := range objects {
		if object == nil {
			continue
		}
		for _, one := range c.verdict(object) {
			found = append(found, pointFailure{Object: object.GetKind(), problem: one})
		}
	}
	return found
}

// verdict validates an object. Most points change few of the objects, so verdicts are remembered by content.
func (c *class) verdict(object *unstructured.Unstructured) findings {
	definition := c.known.find(object.GroupVersionKind().GroupKind())
	if definition == nil {
		return nil
	}
	key, err := json.Marshal([]any{object.GetKind(), object.GetAPIVersion(), withoutNames(object.Object["spec"])})
	if err != nil {
		return findings{{unreadable, "", err.Error()}}
	}
	if known, ok := c.verdicts.Load(string(key)); ok {
		return known.(findings)
	}
	known := c.known.validateCustom(object, served(definition))
	c.verdicts.Store(string(key), known)
	return known
}

// withoutNames is a spec without the reference that has another random name in every object.
func withoutNames(spec any) any {
	content, ok := spec.(map[string]any)
	if !ok || content["machineTemplate"] == nil {
		return spec
	}
	copied := maps.Clone(content)
	delete(copied, "machineTemplate")
	return copied
}

// contracts is a client that knows one thing: which contract a version of a provider's kind keeps.
type contracts struct{ client.Client }

// Get answers for a CustomResourceDefinition. In Cluster API and its providers the version is named like the contract;
// older versions than v1beta1 keep v1beta1 in none of their releases of today, but are read like it.
func (contracts) Get(_ context.Context, _ client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	metadata, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return fmt.Errorf("there is no API server to ask for a %T", object)
	}
	prefix := clusterv1.GroupVersion.Group + "/"
	metadata.SetLabels(map[string]string{prefix + "v1beta1": "v1alpha3_v1alpha4_v1alpha5_v1alpha6_v1alpha7_v1beta1_v1", prefix + "v1beta2": "v1beta2"})
	return nil
}
