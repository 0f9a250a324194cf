#include "cluster/raft/log_terms.h"

#include <gtest/gtest.h>

#include <map>

#include "shoal/random.h"

namespace shoal::raft {
namespace {

TEST(LogTerms, KnowsTheSnapshotsTermAndNothingBeforeTheLog) {
  LogTerms terms;
  terms.reset(10, 3);
  EXPECT_EQ(terms.first(), 11u);
  EXPECT_EQ(terms.last(), 10u);
  EXPECT_EQ(terms.term_of(10), 3u);
  EXPECT_EQ(terms.term_of(9), 0u);
  EXPECT_EQ(terms.term_of(11), 0u);
}

// Against a map from index to term, through every operation.
TEST(LogTerms, AgreesWithAMap) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    LogTerms terms;
    std::map<Index, Term> expected;
    Index first = 1;
    Index last = 0;
    Term term = 1;
    for (int i = 0; i < 300; ++i) {
      const uint64_t what = random.below(20);
      if (what < 16) {
        term = std::max<Term>(expected.empty() ? 1 : expected.rbegin()->second,
                              term + (random.one_in(8) ? 1 : 0));
        terms.append(term);
        expected[++last] = term;
      } else if (what < 18 && last >= first) {
        last = first + random.below(last - first + 1) - 1;
        terms.truncate(last + 1);
        expected.erase(expected.upper_bound(last), expected.end());
      } else if (last >= first) {
        first += random.below(last - first + 2);
        terms.cut(first);
        expected.erase(expected.begin(), expected.lower_bound(first));
      }
      ASSERT_EQ(terms.first(), first);
      ASSERT_EQ(terms.last(), last);
      for (Index index = first > 3 ? first - 3 : 1; index <= last + 2; ++index) {
        const auto at = expected.find(index);
        ASSERT_EQ(terms.term_of(index), at == expected.end() ? 0 : at->second) << index;
      }
    }
  }
}

}  // namespace
}  // namespace shoal::raft
