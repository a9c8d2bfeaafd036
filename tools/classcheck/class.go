package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	clusterv1beta1 "sigs.k8s.io/cluster-api/api/core/v1beta1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/exp/topology/scope"
	"sigs.k8s.io/cluster-api/feature"
	"sigs.k8s.io/cluster-api/internal/webhooks"
)

const namespace = "sample-namespace"

func init() {
	// Off by default in Cluster API, on wherever cluster stacks are used.
	if err := feature.MutableGates.Set("ClusterTopology=true"); err != nil {
		panic(err)
	}
}

// class is a ClusterClass with the templates that it refers to.
type class struct {
	object    *clusterv1.ClusterClass
	templates []*unstructured.Unstructured
	known     *definitions
	// verdicts are the findings of objects that were validated, by content.
	verdicts *sync.Map
	// refused is what the webhook of ClusterClasses answers.
	refused []problem
}

// newClass finds the ClusterClass among the objects of a chart; nil when there is none that can be read.
func newClass(objects []*unstructured.Unstructured, known *definitions) *class {
	made := &class{known: known, verdicts: &sync.Map{}}
	for _, object := range objects {
		if object == nil {
			continue
		}
		if object.GroupVersionKind().Group != clusterv1.GroupVersion.Group || object.GetKind() != "ClusterClass" {
			template := object.DeepCopy()
			template.SetNamespace(namespace)
			made.templates = append(made.templates, template)
			continue
		}
		read, err := readClass(object)
		if err != nil {
			made.refused = append(made.refused, problem{unreadable, "", err.Error()})
			continue
		}
		made.object = read
	}
	if made.object == nil && made.refused == nil {
		return nil
	}
	made.refused = append(made.refused, made.admit()...)
	return made
}

// readClass converts a ClusterClass of either version to the one that Cluster API works with.
func readClass(object *unstructured.Unstructured) (*clusterv1.ClusterClass, error) {
	made := &clusterv1.ClusterClass{}
	var err error
	switch version := object.GroupVersionKind().Version; version {
	case "v1beta1":
		old := &clusterv1beta1.ClusterClass{}
		if err = runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, old); err == nil {
			err = old.ConvertTo(made)
		}
	case "v1beta2":
		err = runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, made)
	default:
		err = fmt.Errorf("ClusterClass %s is not known, only v1beta1 and v1beta2", version)
	}
	made.SetNamespace(namespace)
	return made, err
}

// admit asks the webhook.
func (c *class) admit() findings {
	if c.object == nil {
		return nil
	}
	_, err := (&webhooks.ClusterClass{}).ValidateCreate(context.Background(), c.object)
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return nil
	}
	found := findings{}
	if details := status.Status().Details; details != nil {
		for _, cause := range details.Causes {
			found = append(found, problem{invalid, cause.Field, cause.Message})
		}
	}
	return found
}

// definitionsOfVariables is what the controller of ClusterClasses writes into the status.
func (c *class) definitionsOfVariables() []clusterv1.ClusterClassStatusVariable {
	found := []clusterv1.ClusterClassStatusVariable{}
	for _, variable := range c.object.Spec.Variables {
		found = append(found, clusterv1.ClusterClassStatusVariable{
			Name:                variable.Name,
			DefinitionsConflict: ptr.To(false),
			Definitions: []clusterv1.ClusterClassStatusVariableDefinition{{
				From:     clusterv1.VariableDefinitionFromInline,
				Required: variable.Required,
				Schema:   variable.Schema,
			}},
		})
	}
	return found
}

// template finds what a reference of the class names.
func (c *class) template(ref clusterv1.ClusterClassTemplateReference) (*unstructured.Unstructured, error) {
	if !ref.IsDefined() {
		return nil, nil
	}
	for _, template := range c.templates {
		if template.GetKind() == ref.Kind && template.GetName() == ref.Name && template.GetAPIVersion() == ref.APIVersion {
			return template.DeepCopy(), nil
		}
	}
	return nil, fmt.Errorf("the class refers to %s %s in %s, which is not in the chart", ref.Kind, ref.Name, ref.APIVersion)
}

// blueprint is the class with its templates as the topology controller reads them.
func (c *class) blueprint(cluster *clusterv1.Cluster) (*scope.ClusterBlueprint, error) {
	spec := c.object.Spec
	var failures []error
	read := func(ref clusterv1.ClusterClassTemplateReference) *unstructured.Unstructured {
		template, err := c.template(ref)
		failures = append(failures, err)
		return template
	}
	made := &scope.ClusterBlueprint{
		Topology:                      cluster.Spec.Topology,
		ClusterClass:                  c.object,
		InfrastructureClusterTemplate: read(spec.Infrastructure.TemplateRef),
		ControlPlane: &scope.ControlPlaneBlueprint{
			Template:                      read(spec.ControlPlane.TemplateRef),
			InfrastructureMachineTemplate: read(spec.ControlPlane.MachineInfrastructure.TemplateRef),
			HealthCheck:                   spec.ControlPlane.HealthCheck,
		},
		MachineDeployments: map[string]*scope.MachineDeploymentBlueprint{},
		MachinePools:       map[string]*scope.MachinePoolBlueprint{},
	}
	for _, worker := range spec.Workers.MachineDeployments {
		made.MachineDeployments[worker.Class] = &scope.MachineDeploymentBlueprint{
			Metadata:                      worker.Metadata,
			BootstrapTemplate:             read(worker.Bootstrap.TemplateRef),
			InfrastructureMachineTemplate: read(worker.Infrastructure.TemplateRef),
			HealthCheck:                   worker.HealthCheck,
		}
	}
	for _, worker := range spec.Workers.MachinePools {
		made.MachinePools[worker.Class] = &scope.MachinePoolBlueprint{
			Metadata:                          worker.Metadata,
			BootstrapTemplate:                 read(worker.Bootstrap.TemplateRef),
			InfrastructureMachinePoolTemplate: read(worker.Infrastructure.TemplateRef),
		}
	}
	return made, errors.Join(failures...)
}

// cluster uses the whole class: one control plane machine and one of each class of workers.
func (c *class) cluster(kubernetes string, variables []clusterv1.ClusterVariable) *clusterv1.Cluster {
	made := &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "sample-one", Namespace: namespace, UID: "sample-uid"}}
	topology := &made.Spec.Topology
	topology.ClassRef.Name = c.object.Name
	topology.Version = kubernetes
	topology.Variables = variables
	topology.ControlPlane.Replicas = ptr.To[int32](1)
	for _, worker := range c.object.Spec.Workers.MachineDeployments {
		topology.Workers.MachineDeployments = append(topology.Workers.MachineDeployments, clusterv1.MachineDeploymentTopology{
			Class: worker.Class, Name: worker.Class, Replicas: ptr.To[int32](1),
		})
	}
	for _, worker := range c.object.Spec.Workers.MachinePools {
		topology.Workers.MachinePools = append(topology.Workers.MachinePools, clusterv1.MachinePoolTopology{
			Class: worker.Class, Name: worker.Class, Replicas: ptr.To[int32](1),
		})
	}
	return made
}
