// All filters that sessions of this worker or other places want, by number and by text, and those
// among them that match a topic. The text of a shared subscription, "$share/NAME/FILTER", is a
// filter too, which matches nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_set.h>
#include "node/rules/compact_text.h"
#include "node/rules/place_set.h"
#include "node/rules/slab.h"
#include "node/rules/wildcard_tree.h"

namespace shoal {

using FilterId = uint32_t;

struct Filter {
  CompactText text;  // none: this number is free
  PlaceSet places;   // that want it; those of a shared subscription are in its SharedGroup
  uint32_t first_subscription = kNoIndex;  // plain: a list through all of them
  bool wildcard : 1 = false;
  bool shared : 1 = false;
  bool has_groups : 1 = false;  // shared subscriptions have this as their FILTER
  bool announced : 1 = false;   // plain: the others know that this worker wants it
  bool changed : 1 = false;     // in Router's list of filters to look at
  bool found : 1 = false;       // while find() runs
};

class FilterTable {
 public:
  explicit FilterTable(uint64_t seed, uint64_t path_hash_mask = ~uint64_t{0});
  FilterTable(const FilterTable&) = delete;
  FilterTable& operator=(const FilterTable&) = delete;

  Filter& operator[](FilterId id) { return filters_[id]; }
  const Filter& operator[](FilterId id) const { return filters_[id]; }

  // What the others take, so that a text is hashed once.
  uint64_t hash(std::string_view text) const;
  // kNoIndex when there is none.
  FilterId find(std::string_view text, uint64_t hash) const;
  FilterId find(std::string_view text) const { return find(text, hash(text)); }
  FilterId find_or_add(std::string_view text);
  void remove(FilterId id);
  // Appends each plain filter that matches, once. `hash` is the topic's.
  void match(std::string_view topic, uint64_t hash, std::vector<FilterId>& ids);

  size_t size() const { return filters_.used(); }
  // Above every number in use.
  FilterId end() const { return filters_.end(); }
  void check_invariants() const;

 private:
  struct Hash {
    using is_transparent = void;
    const FilterTable* table;
    size_t operator()(FilterId id) const { return (*this)((*table)[id].text.view()); }
    size_t operator()(std::string_view text) const { return table->hash(text); }
  };
  struct Equal {
    using is_transparent = void;
    const FilterTable* table;
    std::string_view text(FilterId id) const { return (*table)[id].text.view(); }
    static std::string_view text(std::string_view text) { return text; }
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return text(a) == text(b);
    }
  };

  uint64_t seed_;
  Slab<Filter> filters_;
  absl::flat_hash_set<FilterId, Hash, Equal> by_text_;
  WildcardTree wildcards_;
};

}  // namespace shoal
