#include "node/client/client_options.h"

#include <gtest/gtest.h>

#include <vector>

namespace shoal {
namespace {

template <class Options>
using Parsed = std::variant<Options, ClientUsage>;

Parsed<PubOptions> pub(std::vector<const char*> words) {
  words.insert(words.begin(), "pub");
  return pub_options_of(static_cast<int>(words.size()), words.data());
}

Parsed<SubOptions> sub(std::vector<const char*> words) {
  words.insert(words.begin(), "sub");
  return sub_options_of(static_cast<int>(words.size()), words.data());
}

TEST(PubOptions, AreMosquittosLetters) {
  const auto parsed = pub({"-h", "broker", "-p", "1884", "-t", "a/b", "-m", "hello", "-q", "2",
                           "-r", "-i", "me", "-u", "user", "-P", "secret", "-V", "mqttv311"});
  const auto& options = std::get<PubOptions>(parsed);
  EXPECT_EQ(options.target.host, "broker");
  EXPECT_EQ(options.target.port, 1884);
  EXPECT_EQ(options.topic, "a/b");
  EXPECT_EQ(options.source, PubOptions::Source::kText);
  EXPECT_EQ(options.text, "hello");
  EXPECT_EQ(options.qos, Qos::k2);
  EXPECT_TRUE(options.retain);
  EXPECT_EQ(options.client_id, "me");
  EXPECT_EQ(options.user, "user");
  EXPECT_EQ(options.password, "secret");
  EXPECT_EQ(options.version, ProtocolVersion::kMqtt311);
}

TEST(SubOptions, AreMosquittosLetters) {
  const auto parsed =
      sub({"-t", "a/#", "-t", "$share/g/b", "-C", "3", "-W", "1.5", "-v", "-q", "1"});
  const auto& options = std::get<SubOptions>(parsed);
  EXPECT_EQ(options.filters, (std::vector<std::string>{"a/#", "$share/g/b"}));
  EXPECT_EQ(options.count, 3u);
  EXPECT_EQ(options.patience, Duration::millis(1500));
  EXPECT_TRUE(options.verbose);
  EXPECT_EQ(options.version, ProtocolVersion::kMqtt5);
}

TEST(ClientOptions, MistakesNameTheirFlag) {
  const struct {
    std::vector<const char*> words;
    const char* named;
  } rows[] = {
      {{"-t", "a/#", "-m", "x"}, "-t a/#"},
      {{"-t", "a"}, "-m"},
      {{"-t", "a", "-m", "x", "-n"}, "-m"},
      {{"-m", "x"}, "--topic"},
      {{"-t", "a", "-m", "x", "-q", "3"}, "--qos"},
      {{"-t", "a", "-m", "x", "-V", "4"}, "-V"},
      {{"-t", "a", "-m", "x", "-p", "70000"}, "--port"},
      {{"-t", "a", "-m", "x", "--cafile", "/does/not/exist"}, "--cafile"},
      {{"-t", "a", "-m", "x", "-P", "pw", "-V", "311"}, "-P"},
      {{"-t", "a", "-m", "x", "--wrong"}, "--wrong"},
  };
  for (const auto& row : rows) {
    const auto parsed = pub(row.words);
    const auto* const usage = std::get_if<ClientUsage>(&parsed);
    ASSERT_NE(usage, nullptr) << row.named;
    EXPECT_EQ(usage->status, 2);
    EXPECT_NE(usage->text.find(row.named), std::string::npos) << usage->text;
  }
}

TEST(ClientOptions, HelpIsNoMistake) {
  const auto parsed = sub({"--help"});
  EXPECT_EQ(std::get<ClientUsage>(parsed).status, 0);
}

}  // namespace
}  // namespace shoal
