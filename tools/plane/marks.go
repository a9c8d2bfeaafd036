package main

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/template/parse"
	"unicode/utf8"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/releaseutil"
)

// Marks are characters of the private use area that are put before the text and the actions of each template line: first,
// the digits of a number, last. They travel through every function of the templates to the output, where they tell where
// a line comes from. A rendering with marks is only compared with the one without; nobody else sees it.
const (
	markFirst = '\uE000'
	markLast  = '\uE001'
	markDigit = '\uE010'
)

// marker numbers the lines of templates.
type marker struct {
	origins []origin
}

func (m *marker) mark(file string, line int) string {
	m.origins = append(m.origins, origin{file, line})
	text := []rune{markFirst}
	for _, digit := range strconv.Itoa(len(m.origins) - 1) {
		text = append(text, markDigit+digit-'0')
	}
	return string(append(text, markLast))
}

// marked is a copy of the chart with marks in all templates, those of its dependencies included.
func (m *marker) marked(read *chart.Chart, prefix string) *chart.Chart {
	own := *read
	own.Templates = make([]*chart.File, 0, len(read.Templates))
	for _, file := range read.Templates {
		name := prefix + "/" + file.Name
		own.Templates = append(own.Templates, &chart.File{Name: file.Name, Data: []byte(m.text(name, string(file.Data)))})
	}
	var below []*chart.Chart
	for _, dependency := range read.Dependencies() {
		below = append(below, m.marked(dependency, prefix+"/charts/"+dependency.Name()))
	}
	own.SetDependencies(below...)
	return &own
}

// insertion is a text to be put into a template, before the byte at.
type insertion struct {
	at   int
	text string
}

// text is the template with marks; as it was when it cannot be parsed.
func (m *marker) text(name, source string) string {
	tree := parse.New(name)
	tree.Mode = parse.SkipFuncCheck
	trees := map[string]*parse.Tree{}
	if _, err := tree.Parse(source, "", "", trees); err != nil {
		return source
	}
	trees[name] = tree
	var found []insertion
	seen := map[*parse.Tree]bool{}
	for _, part := range trees {
		if part != nil && part.Root != nil && !seen[part] {
			seen[part] = true
			m.list(name, source, part.Root, &found)
		}
	}
	slices.SortStableFunc(found, func(a, b insertion) int { return a.at - b.at })
	var text strings.Builder
	last := 0
	for _, one := range found {
		text.WriteString(source[last:one.at])
		text.WriteString(one.text)
		last = one.at
	}
	text.WriteString(source[last:])
	return text.String()
}

func (m *marker) list(name, source string, list *parse.ListNode, found *[]insertion) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		switch node := node.(type) {
		case *parse.TextNode:
			m.lines(name, source, int(node.Pos), string(node.Text), found)
		case *parse.ActionNode:
			if len(node.Pipe.Decl) == 0 {
				m.action(name, source, int(node.Pos), found)
			}
		case *parse.TemplateNode:
			m.action(name, source, int(node.Pos), found)
		case *parse.IfNode:
			m.list(name, source, node.List, found)
			m.list(name, source, node.ElseList, found)
		case *parse.RangeNode:
			m.list(name, source, node.List, found)
			m.list(name, source, node.ElseList, found)
		case *parse.WithNode:
			m.list(name, source, node.List, found)
			m.list(name, source, node.ElseList, found)
		}
	}
}

// lines marks each line of a text before its first visible character; separators of documents must stay alone.
func (m *marker) lines(name, source string, at int, text string, found *[]insertion) {
	if at < 0 || at+len(text) > len(source) || source[at:at+len(text)] != text {
		return
	}
	for _, line := range strings.SplitAfter(text, "\n") {
		visible := strings.TrimLeft(line, " \t\r\n")
		if visible != "" && !strings.HasPrefix(visible, "---") {
			place := at + len(line) - len(visible)
			*found = append(*found, insertion{place, m.mark(name, 1+strings.Count(source[:place], "\n"))})
		}
		at += len(line)
	}
}

// action marks what an action prints by a literal before it, which takes over the trimming of what stands before.
func (m *marker) action(name, source string, at int, found *[]insertion) {
	open := strings.LastIndex(source[:min(at, len(source))], "{{")
	if open < 0 {
		return
	}
	mark := m.mark(name, 1+strings.Count(source[:open], "\n"))
	if rest := source[open+2:]; strings.HasPrefix(rest, "- ") || strings.HasPrefix(rest, "-\t") ||
		strings.HasPrefix(rest, "-\n") {
		*found = append(*found, insertion{open + 3, ` "` + mark + `" }}{{`})
		return
	}
	*found = append(*found, insertion{open, `{{ "` + mark + `" }}`})
}

// trace puts the origin of each line into the documents: the templates are rendered once more with marks.
func (p *prepared) trace(values map[string]any, files map[string]string, documents []document) {
	m := &marker{}
	traced, _, err := p.files(values, m.marked(p.chart, p.chart.Name()))
	if err != nil {
		return // a function did not like the marks: then nothing is known
	}
	found := map[string][]origin{}
	for name, plain := range files {
		parts, marked := split(plain), split(traced[name])
		if len(parts) == len(marked) {
			for i, part := range parts {
				found[name+"\x00"+part] = m.origin(part, marked[i])
			}
		}
		found[name+"\x00"+plain] = m.origin(plain, traced[name])
	}
	for i, one := range documents {
		documents[i].Lines = found[one.Source+"\x00"+one.Text]
	}
}

// split are the documents that a template printed, as helm takes them apart.
func split(text string) []string {
	parts := releaseutil.SplitManifests(text)
	keys := slices.Collect(maps.Keys(parts))
	slices.SortFunc(keys, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	found := make([]string, 0, len(keys))
	for _, key := range keys {
		found = append(found, parts[key])
	}
	return found
}

// origin reads the marks, line by line; nil when the two do not have the same lines.
func (m *marker) origin(plain, marked string) []origin {
	lines := strings.Split(marked, "\n")
	if len(lines) != strings.Count(plain, "\n")+1 {
		return nil
	}
	found := make([]origin, len(lines))
	last := origin{}
	for i, line := range lines {
		first, after := m.first(line, last)
		found[i], last = first, after
	}
	return found
}

// first is the origin of the first visible character of a line, and that of its end. last: where the line before ended.
func (m *marker) first(line string, last origin) (origin, origin) {
	begun := false
	first := last
	for at := 0; at < len(line); {
		character, size := utf8.DecodeRuneInString(line[at:])
		if character == markFirst {
			if end := strings.IndexRune(line[at:], markLast); end > 0 {
				last = m.number(line[at+size:at+end], last)
				at += end + utf8.RuneLen(markLast)
				if !begun {
					first = last
				}
				continue
			}
		}
		begun = begun || (character != ' ' && character != '\t')
		at += size
	}
	return first, last
}

func (m *marker) number(digits string, otherwise origin) origin {
	number := 0
	for _, digit := range digits {
		number = 10*number + int(digit-markDigit)
	}
	if number < 0 || number >= len(m.origins) {
		return otherwise
	}
	return m.origins[number]
}
