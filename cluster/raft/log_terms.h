// The terms of a log's entries, as runs: a log has few terms and many entries.
#pragma once

#include <vector>

#include "cluster/raft/types.h"

namespace shoal::raft {

class LogTerms {
 public:
  // An empty log behind `base`, whose term is known (0 for both: from the very beginning).
  void reset(Index base, Term base_term);

  Index first() const { return first_; }  // of the entries; last() + 1 when there are none
  Index last() const { return last_; }
  // 0 for an index that is neither an entry nor the snapshot's.
  Term term_of(Index index) const;

  void append(Term term);
  void truncate(Index from);  // drops the entries from there on
  void cut(Index first);      // drops those before
  void snapshot(Index index, Term term) { snapshot_ = {index, term}; }

 private:
  struct Run {
    Index first;
    Term term;
  };

  Index first_ = 1;
  Index last_ = 0;
  Run snapshot_{0, 0};
  std::vector<Run> runs_;
};

}  // namespace shoal::raft
