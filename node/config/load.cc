#include "node/config/load.h"

#include "node/config/draft.h"
#include "node/config/files.h"
#include "node/config/resolve.h"
#include "node/config/sources.h"
#include "node/config/values.h"

namespace shoal {
namespace {

// Reads one option's raw values into the target, and says why it cannot.
template <class Target>
void apply(const Option<Target>& option, const RawValue& raw, Target& target, Findings& findings) {
  std::vector<std::string> values;
  for (const std::string& value : raw.values) {
    if (!option.binding.is_list) {
      values.push_back(value);
      continue;
    }
    for (std::string& part : split_list(value)) values.push_back(std::move(part));
  }
  if (values.empty() && option.binding.is_list) return;  // an empty list, as TOML can say it
  if (values.size() > 1 && !option.binding.is_list) {
    return findings.error(raw.origin, "given " + std::to_string(values.size()) + " times");
  }
  if (const auto mismatch = option.binding.set(target, values)) {
    findings.error(raw.origin, mismatch->text());
  }
}

ListenerDraft listener_draft_of(const RawListener& raw, Findings& findings) {
  ListenerDraft draft;
  draft.origin = raw.origin;
  for (const auto& key : listener_keys()) {
    const auto found = raw.keys.find(std::string(key.name));
    if (found == raw.keys.end()) continue;
    draft.origins[found->first] = found->second.origin;
    apply(key, found->second, draft, findings);
  }
  return draft;
}

// Of the sources, first to last, the first that has an option decides it.
ServeDraft merge(const std::vector<const RawOptions*>& sources,
                 const std::vector<RawListener>& listeners, Findings& findings) {
  ServeDraft draft;
  for (const auto& option : serve_options()) {
    const std::string name(option.name);
    for (const RawOptions* source : sources) {
      const auto found = source->find(name);
      if (found == source->end()) continue;
      draft.origins[name] = found->second.origin;
      apply(option, found->second, draft, findings);
      break;
    }
  }
  for (const RawListener& raw : listeners) draft.tables.push_back(listener_draft_of(raw, findings));
  return draft;
}

void finish(const ServeDraft& draft, const HostFacts& host, Loaded& loaded) {
  loaded.origins = draft.origins;
  // Checks of values that could not be read would only add noise to the first mistake.
  if (!loaded.findings.has_errors()) loaded.config = resolve(draft, host, loaded.findings);
}

const RawValue* config_file_of(const FlagSource& flags, const RawOptions& environment) {
  for (const RawOptions* source : {&flags.options, &environment}) {
    const auto found = source->find("config");
    if (found != source->end() && found->second.values.size() == 1) return &found->second;
  }
  return nullptr;
}

}  // namespace

Loaded load_serve_config(const LoadInput& input) {
  Loaded loaded;
  const FlagSource flags = read_flags(input.args, loaded.findings);
  loaded.wants_help = flags.wants_help;
  loaded.wants_markdown = flags.wants_markdown;
  if (loaded.wants_help || loaded.wants_markdown) return loaded;
  const RawOptions environment = read_environment(input.environment, loaded.findings);
  FileSource file;
  if (const RawValue* named = config_file_of(flags, environment)) {
    const std::string& path = named->values.front();
    const auto text = read_small_file(path);
    if (const auto* error = std::get_if<FileError>(&text)) {
      loaded.findings.error(named->origin + ": " + path, error->what);
    } else {
      file = read_toml(std::get<std::string>(text), path, loaded.findings);
    }
  }
  const ServeDraft draft =
      merge({&flags.options, &environment, &file.options}, file.listeners, loaded.findings);
  finish(draft, input.host, loaded);
  return loaded;
}

Loaded load_config_text(std::string_view text, const std::string& file_name,
                        const HostFacts& host) {
  Loaded loaded;
  const FileSource file = read_toml(text, file_name, loaded.findings);
  ServeDraft draft = merge({&file.options}, file.listeners, loaded.findings);
  draft.config.config_file = file_name;
  finish(draft, host, loaded);
  return loaded;
}

}  // namespace shoal
