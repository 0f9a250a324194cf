// The only file that includes toml++; its exceptions end here.
#include <toml++/toml.h>

#include <algorithm>
#include <sstream>

#include "node/config/draft.h"
#include "node/config/sources.h"
#include "node/config/values.h"

namespace shoal {
namespace {

// Numbers, dates and switches become the text a flag would have: one reader for all sources.
std::string scalar_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  std::ostringstream out;
  node.visit([&out](const auto& value) {
    if constexpr (toml::is_value<decltype(value)>) out << std::boolalpha << value.get();
  });
  return out.str();
}

// toml++ sorts keys by name; a person reads their mistakes from the top of the file.
std::vector<std::pair<const toml::key*, const toml::node*>> in_file_order(
    const toml::table& table) {
  std::vector<std::pair<const toml::key*, const toml::node*>> entries;
  for (const auto& [key, node] : table) entries.emplace_back(&key, &node);
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return a.first->source().begin < b.first->source().begin;
  });
  return entries;
}

class TomlReader {
 public:
  TomlReader(const std::string& file_name, Findings& findings)
      : file_name_(file_name), findings_(findings) {}

  FileSource read(const toml::table& root) {
    FileSource source;
    for (const auto& [key, node] : in_file_order(root)) {
      if (key->str() == "listener") {
        read_listeners(*key, *node, source);
      } else {
        read_key(*key, *node, serve_options(), "key", source.options);
      }
    }
    return source;
  }

  std::string place(const toml::source_region& region) const {
    return file_name_ + ":" + std::to_string(region.begin.line);
  }

 private:
  void read_listeners(const toml::key& key, const toml::node& node, FileSource& source) {
    const auto* tables = node.as_array();
    if (tables == nullptr || !tables->is_array_of_tables()) {
      findings_.error(place(key.source()) + ": listener", "expected a table headed [[listener]]");
      return;
    }
    for (const auto& element : *tables) {
      RawListener listener;
      listener.origin = place(element.source()) + ": listener";
      for (const auto& [own_key, value] : in_file_order(*element.as_table())) {
        read_key(*own_key, *value, listener_keys(), "key of a listener", listener.keys);
      }
      source.listeners.push_back(std::move(listener));
    }
  }

  template <class Target>
  void read_key(const toml::key& key, const toml::node& node,
                const std::vector<Option<Target>>& known, std::string_view kind,
                RawOptions& options) {
    const std::string name(key.str());
    const std::string origin = place(key.source()) + ": " + name;
    const auto* option = option_named(known, name);
    if (option == nullptr || option->is_flag_only) return unknown_key(name, origin, known, kind);
    RawValue value{{}, origin};
    if (const auto* array = node.as_array()) {
      if (!option->binding.is_list)
        return findings_.error(origin, "expected one value, got a list");
      for (const auto& element : *array) {
        if (!element.is_value()) return findings_.error(origin, "expected a list of plain values");
        value.values.push_back(scalar_text(element));
      }
    } else if (node.is_value()) {
      value.values.push_back(scalar_text(node));
    } else {
      return findings_.error(origin, "expected a value, got a table");
    }
    options[name] = std::move(value);
  }

  template <class Target>
  void unknown_key(const std::string& name, const std::string& origin,
                   const std::vector<Option<Target>>& known, std::string_view kind) {
    std::vector<std::string> names;
    for (const auto& option : known) {
      if (!option.is_flag_only) names.emplace_back(option.name);
    }
    if constexpr (std::is_same_v<Target, ServeDraft>) names.emplace_back("listener");
    const std::string nearest = nearest_name(name, names);
    findings_.error(origin, "no such " + std::string(kind) +
                                (nearest.empty() ? "" : "; did you mean " + nearest + "?"));
  }

  const std::string& file_name_;
  Findings& findings_;
};

}  // namespace

FileSource read_toml(std::string_view text, const std::string& file_name, Findings& findings) {
  TomlReader reader(file_name, findings);
  try {
    return reader.read(toml::parse(text, file_name));
  } catch (const toml::parse_error& error) {
    findings.error(reader.place(error.source()), std::string(error.description()));
    return {};
  }
}

}  // namespace shoal
