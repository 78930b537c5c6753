// Fills in templates as kube-burner does: Go's text/template with the functions of sprig that the tests
// use, an error for what is missing. It reads a list of templates with their values from standard input,
// as JSON, and prints the list of texts.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"text/template"
)

type request struct {
	Text string            `json:"text"`
	Data map[string]any    `json:"data"`
	Env  map[string]string `json:"env"`
}

func main() {
	decoder := json.NewDecoder(os.Stdin)
	decoder.UseNumber()
	var requests []request
	if err := decoder.Decode(&requests); err != nil {
		fail(err)
	}
	texts := []string{}
	for number, it := range requests {
		text, err := fill(it)
		if err != nil {
			fail(fmt.Errorf("template %d: %w", number, err))
		}
		texts = append(texts, text)
	}
	if err := json.NewEncoder(os.Stdout).Encode(texts); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func fill(it request) (string, error) {
	parsed, err := template.New("text").Option("missingkey=error").Funcs(functions(it.Env)).Parse(it.Text)
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	err = parsed.Execute(&text, numbers(it.Data))
	return text.String(), err
}

// numbers makes of JSON's numbers what a reader of YAML makes of them.
func numbers(value any) any {
	switch value := value.(type) {
	case json.Number:
		if whole, err := value.Int64(); err == nil {
			return int(whole)
		}
		float, _ := value.Float64()
		return float
	case map[string]any:
		for key := range value {
			value[key] = numbers(value[key])
		}
	case []any:
		for index := range value {
			value[index] = numbers(value[index])
		}
	}
	return value
}

func functions(env map[string]string) template.FuncMap {
	whole := func(value any) int64 {
		switch value := value.(type) {
		case int:
			return int64(value)
		case int64:
			return value
		case float64:
			return int64(value)
		}
		var number int64
		fmt.Sscan(fmt.Sprint(value), &number)
		return number
	}
	empty := func(value any) bool {
		is, _ := template.IsTrue(value)
		return !is
	}
	fold := func(operate func(a, b int64) int64) func(...any) int64 {
		return func(values ...any) int64 {
			result := whole(values[0])
			for _, value := range values[1:] {
				result = operate(result, whole(value))
			}
			return result
		}
	}
	indent := func(width int, text string) string {
		spaces := strings.Repeat(" ", width)
		return spaces + strings.ReplaceAll(text, "\n", "\n"+spaces)
	}
	return template.FuncMap{
		"env":    func(name string) string { return env[name] },
		"b64enc": func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) },
		"default": func(other any, value ...any) any {
			if len(value) == 0 || empty(value[0]) {
				return other
			}
			return value[0]
		},
		"quote":      func(value any) string { return fmt.Sprintf("%q", fmt.Sprint(value)) },
		"toString":   func(value any) string { return fmt.Sprint(value) },
		"int":        func(value any) int { return int(whole(value)) },
		"add":        fold(func(a, b int64) int64 { return a + b }),
		"mul":        fold(func(a, b int64) int64 { return a * b }),
		"sub":        fold(func(a, b int64) int64 { return a - b }),
		"div":        fold(func(a, b int64) int64 { return a / b }),
		"mod":        fold(func(a, b int64) int64 { return a % b }),
		"lower":      strings.ToLower,
		"upper":      strings.ToUpper,
		"trim":       strings.TrimSpace,
		"trimSuffix": func(suffix, text string) string { return strings.TrimSuffix(text, suffix) },
		"replace":    func(from, to, text string) string { return strings.ReplaceAll(text, from, to) },
		"contains":   func(part, text string) bool { return strings.Contains(text, part) },
		"hasPrefix":  func(prefix, text string) bool { return strings.HasPrefix(text, prefix) },
		"ternary": func(yes, no any, which bool) any {
			if which {
				return yes
			}
			return no
		},
		"indent":  indent,
		"nindent": func(width int, text string) string { return "\n" + indent(width, text) },
		"join": func(separator string, list any) string {
			values := reflect.ValueOf(list)
			texts := []string{}
			for index := range values.Len() {
				texts = append(texts, fmt.Sprint(values.Index(index).Interface()))
			}
			return strings.Join(texts, separator)
		},
		"list": func(values ...any) []any { return values },
		"until": func(count int) []int {
			numbers := []int{}
			for number := range count {
				numbers = append(numbers, number)
			}
			return numbers
		},
	}
}
