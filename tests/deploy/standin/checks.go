package main

import (
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A complaint names the attribute as the configuration's author wrote it.
type complaint struct {
	attribute string
	reason    string
}

var (
	idPattern        = `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`
	localID          = regexp.MustCompile(`^([a-z]{2}-[a-z]{3}(-[0-9])?/)?` + idPattern + `(/` + idPattern + `)?$`)
	longestTimeoutMs = int64(math.MaxInt32)
)

// configurationComplaints is what the real provider's validators would refuse before any plan.
func configurationComplaints(resource string, config attributes) []complaint {
	known := rules[resource]
	var out []complaint
	eachLeaf("", config, func(path string, value any) {
		if reason := known.refusal(path, value); reason != "" {
			out = append(out, complaint{path, reason})
		}
	})
	for _, pair := range known.apart {
		if given(config[pair[0]]) && given(config[pair[1]]) {
			out = append(out, complaint{pair[0], "conflicts with " + pair[1]})
		}
	}
	return out
}

// refusal is why the value may not stand at the path, or nothing. Unknown values are judged when they are known.
func (r rule) refusal(path string, value any) string {
	switch v := value.(type) {
	case string:
		return r.refusalOfText(path, v)
	case int64:
		if allowed, ok := r.integers[path]; ok && !slices.Contains(allowed, v) {
			return fmt.Sprintf("expected one of %v, got %d", allowed, v)
		}
		if limits, ok := r.between[path]; ok && (v < limits[0] || v > limits[1]) {
			return fmt.Sprintf("expected %d to %d, got %d", limits[0], limits[1], v)
		}
	}
	return ""
}

func (r rule) refusalOfText(path, text string) string {
	if allowed, ok := r.oneOf[path]; ok && !slices.Contains(allowed, text) {
		return fmt.Sprintf("expected one of %s, got %q", strings.Join(allowed, ", "), text)
	}
	if slices.Contains(r.lengths, path) {
		length, err := time.ParseDuration(text)
		if err != nil {
			return err.Error()
		}
		if ms := length.Milliseconds(); ms < 0 || ms > longestTimeoutMs {
			return fmt.Sprintf("%s is not within 0 and %d ms", text, longestTimeoutMs)
		}
	}
	if _, ok := r.refs[path]; ok && !localID.MatchString(text) {
		return fmt.Sprintf("%q is no UUID, with or without a locality", text)
	}
	if slices.Contains(r.subnets, path) {
		if prefix, err := netip.ParsePrefix(text); err != nil || prefix != prefix.Masked() {
			return fmt.Sprintf("%q is no network in CIDR notation", text)
		}
	}
	return ""
}

// eachLeaf calls visit for every value that is no block, with list items under the path of their list.
func eachLeaf(prefix string, value any, visit func(path string, value any)) {
	switch v := value.(type) {
	case attributes:
		for _, name := range sortedKeys(v) {
			eachLeaf(join(prefix, name), v[name], visit)
		}
	case []any:
		for _, item := range v {
			eachLeaf(prefix, item, visit)
		}
	default:
		visit(prefix, value)
	}
}

func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}

// given tells whether an author set the attribute to something that counts.
func given(value any) bool {
	switch v := value.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	}
	return true
}
