#include "cluster/raft/log_terms.h"

#include <algorithm>

#include "shoal/assert.h"

namespace shoal::raft {

void LogTerms::reset(Index base, Term base_term) {
  first_ = base + 1;
  last_ = base;
  snapshot_ = {base, base_term};
  runs_.clear();
}

Term LogTerms::term_of(Index index) const {
  if (index == snapshot_.first && index != 0) return snapshot_.term;
  if (index < first_ || index > last_) return 0;
  const auto after =
      std::upper_bound(runs_.begin(), runs_.end(), index,
                       [](Index wanted, const Run& run) { return wanted < run.first; });
  return std::prev(after)->term;
}

void LogTerms::append(Term term) {
  SHOAL_ASSERT(runs_.empty() || term >= runs_.back().term);
  ++last_;
  if (runs_.empty() || runs_.back().term != term) runs_.push_back({last_, term});
}

void LogTerms::truncate(Index from) {
  SHOAL_ASSERT(from >= first_ && from <= last_ + 1);
  last_ = from - 1;
  while (!runs_.empty() && runs_.back().first > last_) runs_.pop_back();
}

void LogTerms::cut(Index first) {
  SHOAL_ASSERT(first <= last_ + 1);
  if (first <= first_) return;
  first_ = first;
  size_t gone = 0;
  while (gone + 1 < runs_.size() && runs_[gone + 1].first <= first) ++gone;
  runs_.erase(runs_.begin(), runs_.begin() + static_cast<std::ptrdiff_t>(gone));
  if (last_ < first_) runs_.clear();
}

}  // namespace shoal::raft
