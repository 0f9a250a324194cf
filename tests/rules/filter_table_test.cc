#include "node/rules/filter_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "node/rules/topic.h"
#include "shoal/random.h"
#include "tests/rules/naive_match.h"

namespace shoal {
namespace {

// Few bits make the paths of different filters meet everywhere.
constexpr uint64_t kMasks[] = {~uint64_t{0}, 0xFFF, 0x7, 0};

std::vector<std::string> matches_of(FilterTable& table, const std::string& topic) {
  std::vector<FilterId> ids;
  table.match(topic, table.hash(topic), ids);
  std::vector<std::string> texts;
  for (const FilterId id : ids) texts.emplace_back(table[id].text.view());
  std::sort(texts.begin(), texts.end());
  return texts;
}

std::vector<std::string> expected_of(const std::set<std::string>& filters,
                                     const std::string& topic) {
  std::vector<std::string> texts;
  for (const std::string& filter : filters) {
    if (naive_matches(filter, topic)) texts.push_back(filter);
  }
  return texts;
}

TEST(TopicMatches, EveryFilterAndTopicOfATinyAlphabet) {
  const std::vector<std::string> topics = all_topics();
  for (const std::string& filter : all_filters()) {
    for (const std::string& topic : topics) {
      ASSERT_EQ(topic_matches(filter, topic), naive_matches(filter, topic))
          << filter << " and " << topic;
    }
  }
}

TEST(FilterTable, EveryFilterAndTopicOfATinyAlphabet) {
  const std::vector<std::string> texts = all_filters();
  const std::set<std::string> filters(texts.begin(), texts.end());
  for (const uint64_t mask : kMasks) {
    if (mask == 0) continue;  // one node for all: paths of it grow with every level
    FilterTable table(1, mask);
    for (const std::string& filter : filters) table.find_or_add(filter);
    for (const std::string& topic : all_topics()) {
      ASSERT_EQ(matches_of(table, topic), expected_of(filters, topic)) << topic;
    }
  }
}

TEST(FilterTable, RandomFiltersComeAndGo) {
  const std::vector<std::string> texts = all_filters();
  const std::vector<std::string> topics = all_topics();
  for (const uint64_t mask : kMasks) {
    Random random(mask + 3);
    FilterTable table(2, mask);
    std::set<std::string> filters;
    for (int step = 0; step < 4000; ++step) {
      const std::string& text = texts[random.below(texts.size())];
      if (filters.erase(text) == 1) {
        table.remove(table.find(text));
      } else if (filters.size() < 60) {
        filters.insert(text);
        const FilterId id = table.find_or_add(text);
        ASSERT_EQ(table.find_or_add(text), id);
      }
      ASSERT_EQ(table.size(), filters.size());
      const std::string& topic = topics[random.below(topics.size())];
      ASSERT_EQ(matches_of(table, topic), expected_of(filters, topic))
          << topic << " step " << step << " mask " << mask;
      if (step % 100 == 0) table.check_invariants();
    }
    while (!filters.empty()) {
      table.remove(table.find(*filters.begin()));
      filters.erase(filters.begin());
    }
    table.check_invariants();
    EXPECT_EQ(table.size(), 0u);
  }
}

TEST(WildcardTree, LeavesNothingBehind) {
  for (const uint64_t mask : kMasks) {
    WildcardTree tree(7, mask);
    const std::vector<std::string> filters = all_filters();
    Random random(1);
    std::vector<uint32_t> order(filters.size());
    for (uint32_t id = 0; id < filters.size(); ++id) {
      tree.add(filters[id], id);
      order[id] = id;
    }
    EXPECT_FALSE(tree.empty());
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    for (const uint32_t id : order) tree.remove(filters[id], id);
    EXPECT_TRUE(tree.empty());
    EXPECT_EQ(tree.nodes(), 0u);
  }
}

TEST(FilterTable, ASharedSubscriptionsTextMatchesNothing) {
  FilterTable table(1);
  const FilterId id = table.find_or_add("$share/g/a");
  EXPECT_TRUE(table[id].shared);
  EXPECT_TRUE(matches_of(table, "$share/g/a").empty());
  EXPECT_TRUE(matches_of(table, "a").empty());
  const FilterId wildcard = table.find_or_add("$share/g/#");
  EXPECT_TRUE(table[wildcard].shared);
  EXPECT_FALSE(table[wildcard].wildcard);
  EXPECT_TRUE(matches_of(table, "$share/g/x").empty());
}

TEST(FilterTable, AFilterThatIsNotWellFormedMatchesNothing) {
  FilterTable table(1);
  for (const char* filter : {"a/#/b", "#/a", "a+/b", "#a", ""}) table.find_or_add(filter);
  for (const char* topic : {"a", "a/b", "a/x/b", "b", "ax/b"}) {
    EXPECT_TRUE(matches_of(table, topic).empty()) << topic;
  }
}

}  // namespace
}  // namespace shoal
