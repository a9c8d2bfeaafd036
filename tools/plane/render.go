package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"
	"sigs.k8s.io/yaml"
)

const (
	notes = "NOTES.txt"
	// missing begins as helm words it, for people search for the words.
	missing = "An error occurred while checking for chart dependencies. You may need to run `helm dependency build` to " +
		"fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: "
)

// prepared is a chart that was read once, for all its points.
type prepared struct {
	asked        chartRequest
	chart        *chart.Chart
	capabilities *chartutil.Capabilities
	err          error
}

func prepare(asked chartRequest) prepared {
	made := prepared{asked: asked, capabilities: chartutil.DefaultCapabilities.Copy()}
	made.err = made.load()
	return made
}

func (p *prepared) load() error {
	if p.asked.Kubernetes != "" {
		parsed, err := chartutil.ParseKubeVersion(p.asked.Kubernetes)
		if err != nil {
			return fmt.Errorf("invalid kube version '%s': %w", p.asked.Kubernetes, err)
		}
		p.capabilities.KubeVersion = *parsed
	}
	if err := chartutil.ValidateReleaseName(p.asked.Release); err != nil {
		return fmt.Errorf("release name %q: %w", p.asked.Release, err)
	}
	read, err := loader.Load(p.asked.Directory)
	if err != nil {
		return err
	}
	p.chart = read
	if kind := read.Metadata.Type; kind != "" && kind != "application" {
		return fmt.Errorf("%s charts are not installable", kind)
	}
	if absent := absent(read); len(absent) > 0 {
		return fmt.Errorf("%s%s", missing, strings.Join(absent, ", "))
	}
	wanted, have := read.Metadata.KubeVersion, p.capabilities.KubeVersion.String()
	if wanted != "" && !chartutil.IsCompatibleRange(wanted, have) {
		return fmt.Errorf("chart requires kubeVersion: %s which is incompatible with Kubernetes %s", wanted, have)
	}
	return nil
}

// absent are the dependencies that are declared and not there.
func absent(read *chart.Chart) []string {
	here := map[string]bool{}
	for _, dependency := range read.Dependencies() {
		here[dependency.Name()] = true
	}
	var found []string
	for _, wanted := range read.Metadata.Dependencies {
		if !here[wanted.Name] {
			found = append(found, wanted.Name)
		}
	}
	return found
}

func (p *prepared) render(at point) (found result) {
	// helm's engine recovers from panics in templates; those in the parsers of values and manifests are ours to catch
	defer func() {
		if problem := recover(); problem != nil {
			found = result{Error: fmt.Sprintf("rendering failed: %v", problem)}
		}
	}()
	if p.err != nil {
		return result{Error: p.err.Error()}
	}
	text, values, err := p.values(at)
	if err != nil {
		return result{OverwriteError: err.Error()}
	}
	files, crds, err := p.files(values, p.chart)
	if err != nil {
		return result{Error: err.Error(), Values: text}
	}
	documents, err := sorted(files)
	if p.asked.CRDs {
		documents = append(crds, documents...)
	}
	found = result{Documents: documents, Values: text}
	if err != nil {
		found.Error = err.Error()
	}
	if at.Marks {
		p.trace(values, files, found.Documents)
	}
	return found
}

// values are what the operator hands to helm, with those of the point laid over them, and the text of the former.
func (p *prepared) values(at point) (string, map[string]any, error) {
	text := ""
	if p.asked.Overwrite != "" {
		var err error
		if text, err = overwrite(p.asked.Overwrite, at.Objects); err != nil {
			return "", nil, err
		}
	}
	values := map[string]any{}
	for _, layer := range []string{text, at.Values} {
		read := map[string]any{}
		if err := yaml.Unmarshal([]byte(layer), &read); err != nil {
			return "", nil, fmt.Errorf("the values are not YAML: %w", err)
		}
		values = laid(values, read)
	}
	return text, values, nil
}

// laid is helm's order of several files of values: maps are merged, anything else is replaced.
func laid(below, above map[string]any) map[string]any {
	merged := maps.Clone(below)
	for key, value := range above {
		if inner, ok := value.(map[string]any); ok {
			if old, ok := merged[key].(map[string]any); ok {
				merged[key] = laid(old, inner)
				continue
			}
		}
		merged[key] = value
	}
	return merged
}

// files renders all templates: path below the chart's name -> text. The chart itself stays as it is.
func (p *prepared) files(values map[string]any, read *chart.Chart) (map[string]string, []document, error) {
	own := copied(read)
	if err := chartutil.ProcessDependenciesWithMerge(own, values); err != nil {
		return nil, nil, err
	}
	options := chartutil.ReleaseOptions{
		Name: p.asked.Release, Namespace: p.asked.Namespace, Revision: 1, IsInstall: true,
	}
	given, err := chartutil.ToRenderValues(own, values, options, p.capabilities)
	if err != nil {
		return nil, nil, err
	}
	files, err := engine.Engine{}.Render(own, given)
	if err != nil {
		return nil, nil, err
	}
	maps.DeleteFunc(files, func(name, _ string) bool { return strings.HasSuffix(name, notes) })
	var crds []document
	for _, crd := range own.CRDObjects() {
		crds = append(crds, document{Source: crd.Filename, Text: string(crd.File.Data)})
	}
	return files, crds, nil
}

// sorted are the documents in the order in which helm prints them. When a template prints no YAML, everything that was
// printed comes with the error, for its line is of interest.
func sorted(files map[string]string) ([]document, error) {
	// SortManifests takes the empty ones out of the map
	hooks, manifests, err := releaseutil.SortManifests(maps.Clone(files), nil, releaseutil.InstallOrder)
	var found []document
	if err != nil {
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if strings.TrimSpace(files[name]) != "" {
				found = append(found, document{Source: name, Text: files[name]})
			}
		}
		return found, err
	}
	for _, manifest := range manifests {
		found = append(found, document{Source: manifest.Name, Text: manifest.Content})
	}
	for _, hook := range hooks {
		found = append(found, document{Source: hook.Path, Text: hook.Manifest})
	}
	return found, nil
}

// copied is a chart that may be changed while the dependencies are processed: helm prunes and renames in place.
func copied(read *chart.Chart) *chart.Chart {
	own := *read
	metadata := *read.Metadata
	metadata.Dependencies = nil
	for _, dependency := range read.Metadata.Dependencies {
		entry := *dependency
		metadata.Dependencies = append(metadata.Dependencies, &entry)
	}
	own.Metadata = &metadata
	own.Values = deep(read.Values).(map[string]any)
	var below []*chart.Chart
	for _, dependency := range read.Dependencies() {
		below = append(below, copied(dependency))
	}
	own.SetDependencies(below...)
	return &own
}

func deep(value any) any {
	switch value := value.(type) {
	case map[string]any:
		made := make(map[string]any, len(value))
		for key, inner := range value {
			made[key] = deep(inner)
		}
		return made
	case []any:
		made := make([]any, len(value))
		for i, inner := range value {
			made[i] = deep(inner)
		}
		return made
	}
	return value
}
