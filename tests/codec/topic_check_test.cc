#include "node/codec/topic_check.h"

#include <gtest/gtest.h>

#include <string>

namespace shoal {
namespace {

std::string why(std::optional<std::string_view> wrong) {
  return std::string(wrong.value_or("fine"));
}

TEST(TopicCheck, Names) {
  const struct {
    std::string_view topic;
    const char* verdict;
  } rows[] = {
      {"a", "fine"},
      {"/", "fine"},
      {"//", "fine"},
      {"/a b/\xC3\xA9", "fine"},
      {"$SYS/x", "fine"},
      {"$share/a/b", "fine"},             // only filters are shared
      {"", "empty topic"},                // [MQTT5-4.7.3-1] [MQTT311-4.7.3-1]
      {"+", "wildcard in a topic name"},  // [MQTT5-4.7.0-1] [MQTT311-4.7.1-1]
      {"a/#", "wildcard in a topic name"},
      {"a#b", "wildcard in a topic name"},
      {std::string_view("a\0", 2), "topic is not well-formed UTF-8 or holds U+0000"},
      {"\xC0\x80", "topic is not well-formed UTF-8 or holds U+0000"},
  };
  for (const auto& row : rows)
    EXPECT_EQ(why(check_topic_name(row.topic)), row.verdict) << row.topic;
}

TEST(TopicCheck, Length) {  // [MQTT5-4.7.3-3] [MQTT311-4.7.3-3]
  const std::string longest(65'535, 'a');
  EXPECT_EQ(why(check_topic_name(longest)), "fine");
  EXPECT_EQ(why(check_topic_filter(longest)), "fine");
  EXPECT_EQ(why(check_topic_name(longest + "a")), "topic above 65535 bytes");
  EXPECT_EQ(why(check_topic_filter(longest + "a")), "topic above 65535 bytes");
}

TEST(TopicCheck, Filters) {
  constexpr const char* kHash = "# is not alone in the last level";
  constexpr const char* kPlus = "+ is not alone in its level";
  constexpr const char* kNoFilter = "no filter after the share name";
  const struct {
    std::string_view filter;
    const char* verdict;
  } rows[] = {
      {"a/b", "fine"},
      {"#", "fine"},
      {"/#", "fine"},
      {"a/#", "fine"},
      {"+", "fine"},
      {"+/+/#", "fine"},
      {"/+", "fine"},
      {"a/+/b", "fine"},
      {"", "empty topic"},  // [MQTT5-4.7.3-1] [MQTT311-4.7.3-1]
      // [MQTT5-4.7.1-1] [MQTT311-4.7.1-2]
      {"a#", kHash},
      {"#/", kHash},
      {"#/a", kHash},
      {"a/#/b", kHash},
      {"##", kHash},
      {"+#", kPlus},
      // [MQTT5-4.7.1-2] [MQTT311-4.7.1-3]
      {"a+", kPlus},
      {"+a", kPlus},
      {"a/+b/c", kPlus},
      {"++", kPlus},
      {std::string_view("\0", 1), "topic is not well-formed UTF-8 or holds U+0000"},
      // [MQTT5-4.8.2-1] [MQTT5-4.8.2-2]
      {"$share/g/a", "fine"},
      {"$share/g/#", "fine"},
      {"$share/g//", "fine"},
      {"$share/g/$share/g/a", "fine"},
      {"$share", "fine"},  // not a share: the prefix has a slash
      {"$shared/+", "fine"},
      {"$share/", "empty share name"},
      {"$share//a", "empty share name"},
      {"$share/+/a", "wildcard in a share name"},
      {"$share/#", "wildcard in a share name"},
      {"$share/g", kNoFilter},
      {"$share/g/", kNoFilter},
      {"$share/g/a+", kPlus},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(why(check_topic_filter(row.filter)), row.verdict) << row.filter;
  }
}

}  // namespace
}  // namespace shoal
