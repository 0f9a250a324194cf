package main

import "reflect"

// plannedCreate is what the real provider's plan shows for a new resource: defaults filled in, and unknown whatever
// only the cloud can tell.
func plannedCreate(resource string, block recordedBlock, proposed attributes) attributes {
	return planBlock(rules[resource], "", block, proposed, true)
}

// plannedUpdate keeps what the cloud told before. Blocks that only the provider writes are not in the proposal.
func plannedUpdate(resource string, block recordedBlock, prior, proposed attributes) attributes {
	planned := planBlock(rules[resource], "", block, proposed, false)
	for name, nested := range block.BlockTypes {
		if filledByProvider(nested.Block) {
			planned[name] = prior[name]
		}
	}
	return planned
}

func planBlock(known rule, prefix string, block recordedBlock, proposed attributes, isNew bool) attributes {
	planned := attributes{}
	for name, attribute := range block.Attributes {
		path := join(prefix, name)
		planned[name] = proposed[name]
		if planned[name] != nil {
			continue
		}
		if fallback, ok := known.defaults[path]; ok {
			planned[name] = fallback
		} else if attribute.Computed && isNew {
			planned[name] = unknown{}
		}
	}
	for name, nested := range block.BlockTypes {
		planned[name] = planNested(known, join(prefix, name), nested, proposed[name], isNew)
	}
	return planned
}

func planNested(known rule, path string, nested recordedNestedBlock, proposed any, isNew bool) any {
	if isNew && filledByProvider(nested.Block) {
		return unknown{}
	}
	items, ok := proposed.([]any)
	if !ok {
		return proposed
	}
	planned := make([]any, 0, len(items))
	for _, item := range items {
		if fields, ok := item.(attributes); ok {
			item = planBlock(known, path, nested.Block, fields, isNew)
		}
		planned = append(planned, item)
	}
	return planned
}

// replacements lists the changed attributes that the cloud cannot change in place.
func replacements(resource string, prior, planned attributes) []string {
	before, after := leavesByPath(prior), leavesByPath(planned)
	var out []string
	for _, path := range rules[resource].replaces {
		if !reflect.DeepEqual(before[path], after[path]) {
			out = append(out, path)
		}
	}
	return out
}

func leavesByPath(value attributes) map[string][]any {
	out := map[string][]any{}
	eachLeaf("", value, func(path string, leaf any) { out[path] = append(out[path], leaf) })
	return out
}
