#include "node/rules/filter_table.h"

#include <span>

#include "node/rules/topic.h"
#include "node/rules/topic_hash.h"
#include "shoal/assert.h"

namespace shoal {

FilterTable::FilterTable(uint64_t seed, uint64_t path_hash_mask)
    : seed_(seed), by_text_(0, Hash{this}, Equal{this}), wildcards_(seed, path_hash_mask) {}

uint64_t FilterTable::hash(std::string_view text) const { return text_hash(text, seed_); }

FilterId FilterTable::find(std::string_view text, uint64_t hash) const {
  const auto found = by_text_.find(text, hash);
  return found == by_text_.end() ? kNoIndex : *found;
}

FilterId FilterTable::find_or_add(std::string_view text) {
  if (const FilterId known = find(text); known != kNoIndex) return known;
  const FilterId id = filters_.allocate();
  Filter& filter = filters_[id];
  filter.text = CompactText(text);
  filter.shared = parse_shared(text).has_value();
  filter.wildcard = !filter.shared && has_wildcard(text);
  by_text_.insert(id);
  if (filter.wildcard) wildcards_.add(text, id);
  return id;
}

void FilterTable::remove(FilterId id) {
  const Filter& filter = filters_[id];
  if (filter.wildcard) wildcards_.remove(filter.text.view(), id);
  by_text_.erase(id);
  filters_.release(id);
}

void FilterTable::match(std::string_view topic, uint64_t hash, std::vector<FilterId>& ids) {
  const size_t begin = ids.size();
  const FilterId exact = find(topic, hash);
  // A topic may look like a shared subscription; one never has a wildcard.
  const bool plain = exact != kNoIndex && !filters_[exact].shared && !filters_[exact].wildcard;
  if (plain) ids.push_back(exact);

  const size_t candidates = ids.size();
  wildcards_.find(topic, ids);
  // Each candidate is a cache miss, and its text another: have them all on their way at once.
  const std::span<const FilterId> found(ids.begin() + candidates, ids.end());
  for (const FilterId id : found) __builtin_prefetch(&filters_[id]);
  for (const FilterId id : found) __builtin_prefetch(filters_[id].text.address());
  size_t end = candidates;
  for (size_t i = candidates; i < ids.size(); ++i) {
    Filter& filter = filters_[ids[i]];
    if (filter.found || !topic_matches(filter.text.view(), topic)) continue;
    filter.found = true;
    ids[end++] = ids[i];
  }
  ids.resize(end);
  for (size_t i = begin; i < end; ++i) filters_[ids[i]].found = false;
}

void FilterTable::check_invariants() const {
  SHOAL_ASSERT(by_text_.size() == filters_.used());
  size_t live = 0;
  for (FilterId id = 0; id < filters_.end(); ++id) {
    const Filter& filter = filters_[id];
    if (!filter.text) continue;
    ++live;
    SHOAL_ASSERT(find(filter.text.view()) == id);
    SHOAL_ASSERT(!filter.found);
  }
  SHOAL_ASSERT(live == filters_.used());
}

}  // namespace shoal
