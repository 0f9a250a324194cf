#include "node/rules/retained_tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "shoal/random.h"
#include "tests/rules/naive_match.h"

namespace shoal {
namespace {

constexpr Instant kNow{1'000'000'000};
constexpr RetainedTree::PortionLimits kNoLimits{1'000'000, size_t{1} << 40, 1'000'000};

MessageRef message_of(std::string_view topic, std::string_view payload = "p",
                      Instant expires_at = Instant::never()) {
  MessageView view;
  view.retain = true;
  view.topic = topic;
  view.payload = {reinterpret_cast<const uint8_t*>(payload.data()), payload.size()};
  view.expires_at = expires_at;
  return Message::create(view);
}

Stamp stamp(uint64_t counter, uint64_t node = 1) { return {counter, NodeId{node}}; }

std::vector<std::string> topics_in(const std::vector<MessageRef>& messages) {
  std::vector<std::string> topics;
  for (const MessageRef& message : messages) topics.emplace_back(message->topic());
  return topics;
}

// All of a query, in portions of at most `messages`.
std::vector<std::string> query(RetainedTree& tree, std::string_view filter,
                               RetainedTree::PortionLimits limits = kNoLimits, Instant now = kNow) {
  std::vector<std::string> topics;
  RetainedTree::Portion portion;
  for (int portions = 0; !portion.done && portions < 100'000; ++portions) {
    portion = tree.match(filter, portion.after, limits, now);
    EXPECT_LE(portion.messages.size(), limits.messages);
    const std::vector<std::string> here = topics_in(portion.messages);
    topics.insert(topics.end(), here.begin(), here.end());
  }
  EXPECT_TRUE(portion.done);
  return topics;
}

TEST(TopicOrder, IsLevelByLevel) {
  const char* ascending[] = {"",   "/",    "/a", "//",  " ",          "$",     "$/a",
                             "%",  "a",    "a/", "a//", "a/a",        "a/a/b", "a/b",
                             "a!", "a!/a", "ab", "b",   "caf\xC3\xA9"};
  std::vector<std::string> sorted(std::begin(ascending), std::end(ascending));
  std::sort(sorted.begin(), sorted.end(),
            [](const std::string& a, const std::string& b) { return compare_topics(a, b) < 0; });
  // By the definition: as lists of levels.
  std::vector<std::string> by_levels(std::begin(ascending), std::end(ascending));
  std::sort(by_levels.begin(), by_levels.end(), [](const std::string& a, const std::string& b) {
    return split_levels(a) < split_levels(b);
  });
  EXPECT_EQ(sorted, by_levels);
  EXPECT_EQ(compare_topics("a/b", "a/b"), 0);
}

TEST(RetainedTree, EveryFilterAndTopicOfATinyAlphabet) {
  RetainedTree tree;
  std::vector<std::string> topics = all_topics();
  topics.insert(topics.end(), {"a!", "a!/b", "%", "%/a", "a b", "\x01"});
  for (const std::string& topic : topics) tree.put(message_of(topic), stamp(1), kNow);
  std::sort(topics.begin(), topics.end(), [](const std::string& a, const std::string& b) {
    return split_levels(a) < split_levels(b);
  });
  for (const std::string& filter : all_filters()) {
    std::vector<std::string> expected;
    for (const std::string& topic : topics) {
      if (naive_matches(filter, topic)) expected.push_back(topic);
    }
    ASSERT_EQ(query(tree, filter), expected) << filter;
    ASSERT_EQ(query(tree, filter, {.messages = 1}), expected) << filter;
    ASSERT_EQ(query(tree, filter, {.messages = 7, .steps = 3}), expected) << filter;
  }
}

TEST(RetainedTree, AQueryCostsWhatItFinds) {
  RetainedTree tree;
  for (int site = 0; site < 100; ++site) {
    for (int device = 0; device < 100; ++device) {
      const std::string at = "s" + std::to_string(site) + "/d" + std::to_string(device);
      tree.put(message_of(at + "/temperature"), stamp(1), kNow);
      tree.put(message_of(at + "/humidity"), stamp(1), kNow);
    }
  }
  struct Case {
    const char* filter;
    size_t matches;
    size_t steps_max;  // enough for all of it in one portion
  };
  const Case cases[] = {
      {"s7/d7/humidity", 1, 2}, {"s7/d7/#", 2, 4},           {"s7/+/humidity", 100, 202},
      {"s7/#", 200, 202},       {"+/d7/humidity", 100, 302}, {"nothing/#", 0, 1},
      {"+/nothing/+", 0, 202},  {"#", 20'000, 20'001},
  };
  for (const Case& c : cases) {
    RetainedTree::PortionLimits limits = kNoLimits;
    limits.steps = c.steps_max;
    const RetainedTree::Portion portion = tree.match(c.filter, "", limits, kNow);
    EXPECT_TRUE(portion.done) << c.filter;
    EXPECT_EQ(portion.messages.size(), c.matches) << c.filter;
  }
}

TEST(RetainedTree, PortionsEndAtTheirLimits) {
  RetainedTree tree;
  for (const char* topic : {"a", "b", "c", "d"}) {
    tree.put(message_of(topic, std::string(1000, 'x')), stamp(1), kNow);
  }
  const RetainedTree::Portion by_bytes = tree.match("#", "", {.bytes = 1500}, kNow);
  EXPECT_EQ(topics_in(by_bytes.messages), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(by_bytes.after, "b");
  EXPECT_FALSE(by_bytes.done);
  const RetainedTree::Portion one = tree.match("#", "b", {.bytes = 1}, kNow);
  EXPECT_EQ(topics_in(one.messages), (std::vector<std::string>{"c"}));
  const RetainedTree::Portion by_steps = tree.match("+/nothing", "", {.steps = 1}, kNow);
  EXPECT_FALSE(by_steps.done);
  EXPECT_TRUE(by_steps.messages.empty());
  EXPECT_EQ(by_steps.after, "a");
}

TEST(RetainedTree, TheHighestStampWins) {
  struct Case {
    const char* what;
    const char* first;  // payloads; "" removes
    Stamp first_stamp;
    const char* second;
    Stamp second_stamp;
    const char* left;  // null: none
  };
  const Case cases[] = {
      {"later", "x", stamp(1), "y", stamp(2), "y"},
      {"earlier", "x", stamp(2), "y", stamp(1), "x"},
      {"the same again", "x", stamp(1), "y", stamp(1), "x"},
      {"the higher node", "x", stamp(1, 1), "y", stamp(1, 2), "y"},
      {"the lower node", "x", stamp(1, 2), "y", stamp(1, 1), "x"},
      {"removed [MQTT5-3.3.1-6] [MQTT311-3.3.1-10]", "x", stamp(1), "", stamp(2), nullptr},
      {"removed before it was there", "", stamp(2), "x", stamp(1), nullptr},
      {"there again", "", stamp(1), "x", stamp(2), "x"},
  };
  for (const Case& c : cases) {
    RetainedTree tree;
    EXPECT_TRUE(tree.put(message_of("t", c.first), c.first_stamp, kNow));
    EXPECT_EQ(tree.put(message_of("t", c.second), c.second_stamp, kNow),
              c.second_stamp > c.first_stamp)
        << c.what;
    EXPECT_EQ(tree.stamp_of("t"), std::max(c.first_stamp, c.second_stamp)) << c.what;
    const MessageRef found = tree.find("t", kNow);
    ASSERT_EQ(static_cast<bool>(found), c.left != nullptr) << c.what;
    if (found) EXPECT_EQ(found->payload()[0], c.left[0]) << c.what;
    EXPECT_EQ(query(tree, "t").size(), c.left ? 1u : 0u) << c.what;
    EXPECT_EQ(tree.messages(), c.left ? 1u : 0u) << c.what;
    EXPECT_EQ(tree.tombstones(), c.left ? 0u : 1u) << c.what;
  }
  EXPECT_EQ(RetainedTree().stamp_of("t"), Stamp{});
}

TEST(RetainedTree, TombstonesAreForgottenInTime) {
  RetainedTree tree({.tombstone_age = Duration::seconds(10), .tombstones_max = 100});
  tree.put(message_of("a", ""), stamp(5), kNow);
  tree.put(message_of("b", ""), stamp(5), kNow);
  tree.put(message_of("b"), stamp(6), kNow);
  tree.put(message_of("c", ""), stamp(5), kNow + Duration::seconds(5));
  tree.sweep(kNow + Duration::seconds(9), 100);
  EXPECT_EQ(tree.tombstones(), 2u);
  EXPECT_FALSE(tree.put(message_of("a"), stamp(4), kNow));
  tree.sweep(kNow + Duration::seconds(10), 100);
  EXPECT_EQ(tree.tombstones(), 1u);
  EXPECT_EQ(tree.messages(), 1u);
  EXPECT_TRUE(tree.put(message_of("a"), stamp(4), kNow));
  tree.sweep(kNow + Duration::seconds(15), 100);
  EXPECT_EQ(tree.tombstones(), 0u);
  EXPECT_EQ(query(tree, "#"), (std::vector<std::string>{"a", "b"}));
}

TEST(RetainedTree, ALaterRemovalIsNotForgottenWithAnEarlier) {
  RetainedTree tree({.tombstone_age = Duration::seconds(10), .tombstones_max = 100});
  tree.put(message_of("a", ""), stamp(5), kNow);
  tree.put(message_of("a", ""), stamp(6), kNow + Duration::seconds(5));
  tree.sweep(kNow + Duration::seconds(10), 100);
  EXPECT_EQ(tree.stamp_of("a"), stamp(6));
  tree.sweep(kNow + Duration::seconds(15), 100);
  EXPECT_EQ(tree.stamp_of("a"), Stamp{});
}

TEST(RetainedTree, TombstonesAreBounded) {
  RetainedTree tree({.tombstones_max = 100});
  for (int i = 0; i < 500; ++i) tree.put(message_of(std::to_string(i), ""), stamp(1), kNow);
  EXPECT_EQ(tree.tombstones(), 100u);
  EXPECT_EQ(tree.stamp_of("399"), Stamp{});
  EXPECT_EQ(tree.stamp_of("400"), stamp(1));
}

TEST(RetainedTree, ExpiredMessagesAreNotFound) {  // [MQTT5-3.3.2-5]
  const Instant later = kNow + Duration::seconds(1);
  RetainedTree tree;
  tree.put(message_of("a", "x", later), stamp(3), kNow);
  tree.put(message_of("b", "x", later), stamp(3), kNow);
  tree.put(message_of("c"), stamp(3), kNow);
  EXPECT_TRUE(tree.find("a", kNow));
  EXPECT_EQ(query(tree, "#").size(), 3u);
  EXPECT_FALSE(tree.find("a", later));
  EXPECT_EQ(query(tree, "a", kNoLimits, later).size(), 0u);
  EXPECT_EQ(tree.messages(), 2u);  // removed in passing
  EXPECT_FALSE(tree.put(message_of("a"), stamp(2), later));
  tree.sweep(later, 100);
  EXPECT_EQ(tree.messages(), 1u);
  EXPECT_EQ(tree.tombstones(), 2u);
}

TEST(RetainedTree, ASweepGoesRoundInSmallSteps) {
  const Instant later = kNow + Duration::seconds(1);
  RetainedTree tree;
  for (int i = 0; i < 100; ++i) {
    tree.put(message_of("t/" + std::to_string(i), "x", i % 2 ? later : Instant::never()), stamp(1),
             kNow);
  }
  tree.sweep(later, 30);
  EXPECT_EQ(tree.tombstones(), 15u);
  for (int i = 0; i < 3; ++i) tree.sweep(later, 30);
  EXPECT_EQ(tree.tombstones(), 50u);
  tree.put(message_of("a", "x", later), stamp(1), kNow);  // behind the sweep: the next round's
  for (int i = 0; i < 6; ++i) tree.sweep(later, 30);
  EXPECT_EQ(tree.tombstones(), 51u);
}

TEST(RetainedTree, ItemsHaveEverythingForAPeer) {
  RetainedTree tree;
  RetainedTree peer;
  Random random(1);
  for (int i = 0; i < 500; ++i) {
    const std::string topic = "t/" + std::to_string(random.below(200));
    tree.put(message_of(topic, random.one_in(3) ? "" : "x"), stamp(random.below(1000)), kNow);
  }
  std::string after;
  for (;;) {
    const std::vector<RetainedTree::Item> items = tree.items(after, 7, 1'000'000);
    if (items.empty()) break;
    ASSERT_LE(items.size(), 7u);
    for (const RetainedTree::Item& item : items) peer.put(item.message, item.stamp, kNow);
    after = items.back().message->topic();
  }
  EXPECT_EQ(peer.digest(), tree.digest());
  EXPECT_EQ(peer.messages(), tree.messages());
  EXPECT_EQ(peer.tombstones(), tree.tombstones());
  EXPECT_EQ(peer.bytes(), tree.bytes());
  EXPECT_EQ(tree.items("", 10, 1).size(), 1u);
}

TEST(RetainedTree, DigestsTellHoldingsApartWhateverTheOrder) {
  RetainedTree a;
  RetainedTree b;
  a.put(message_of("x"), stamp(1), kNow);
  EXPECT_NE(a.digest(), b.digest());
  a.put(message_of("y"), stamp(2), kNow);
  b.put(message_of("y"), stamp(2), kNow);
  b.put(message_of("x"), stamp(1), kNow);
  EXPECT_EQ(a.digest(), b.digest());
  a.put(message_of("x"), stamp(3), kNow);
  EXPECT_NE(a.digest(), b.digest());
  b.put(message_of("x"), stamp(3, 2), kNow);
  EXPECT_NE(a.digest(), b.digest());
  for (RetainedTree* tree : {&a, &b}) {
    for (const char* topic : {"x", "y"}) tree->put(message_of(topic, ""), stamp(9), kNow);
  }
  EXPECT_EQ(a.digest(), RetainedTree().digest());
  EXPECT_EQ(a.digest(), b.digest());
}

TEST(RetainedTree, AgreesWithAMap) {
  const std::vector<std::string> topics = all_topics();
  const std::vector<std::string> filters = all_filters();
  struct Kept {
    Stamp stamp;
    bool removed;
    Instant expires_at;
  };
  Random random(9);
  RetainedTree tree;
  std::map<std::string, Kept> model;
  Instant now = kNow;
  for (int step = 0; step < 2000; ++step) {
    now = now + Duration::millis(static_cast<int64_t>(random.below(20)));
    const std::string& topic = topics[random.below(topics.size())];
    const bool removed = random.one_in(4);
    const bool expires = !removed && random.one_in(3);
    const Kept put{stamp(random.below(5000), random.below(3)), removed,
                   expires ? now + Duration::seconds(1) : Instant::never()};
    const auto known = model.find(topic);
    const bool newer = known == model.end() || put.stamp > known->second.stamp;
    ASSERT_EQ(tree.put(message_of(topic, removed ? "" : "x", put.expires_at), put.stamp, now),
              newer);
    if (newer) model[topic] = put;
    if (random.one_in(3)) tree.sweep(now, random.below(50));

    const std::string& filter = filters[random.below(filters.size())];
    std::set<std::string> expected;
    for (const auto& [name, kept] : model) {
      if (kept.removed || kept.expires_at <= now) continue;
      if (naive_matches(filter, name)) expected.insert(name);
    }
    const std::vector<std::string> found =
        query(tree, filter, {.messages = 1 + random.below(20)}, now);
    ASSERT_EQ(std::set<std::string>(found.begin(), found.end()), expected) << filter;
    ASSERT_EQ(found.size(), expected.size());
  }
}

}  // namespace
}  // namespace shoal
