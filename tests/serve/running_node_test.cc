#include "node/serve/running_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "node/serve/state_file.h"

namespace shoal {
namespace {

using testing::HasSubstr;

class RunningNodeTest : public testing::Test {
 protected:
  RunningNodeTest() { std::filesystem::create_directories(folder_); }
  ~RunningNodeTest() override { std::filesystem::remove_all(folder_); }

  ServeConfig config(const std::string& name = "n1") const {
    ServeConfig config;
    config.node_name = name;
    config.data_dir = folder_ + "/" + name;
    config.workers = 2;
    config.listeners.emplace_back();
    config.listeners[0].name = "mqtt";
    config.listeners[0].address = {"127.0.0.1", 0};
    config.peer = {"127.0.0.1", 0};
    config.peer_advertise = config.peer;
    return config;
  }
  std::string error_of(const ServeConfig& config) {
    auto started = RunningNode::start(config, log_);
    const auto* error = std::get_if<std::string>(&started);
    return error != nullptr ? *error : "";
  }

  const std::string folder_ = testing::TempDir() + "/shoal-node-" + std::to_string(::getpid());
  Log log_{{.level = LogLevel::kError}};
};

TEST_F(RunningNodeTest, EachStartRaisesTheIncarnationAndKeepsTheIdentity) {
  NodeId id;
  const ServeConfig config = this->config();
  for (uint64_t incarnation = 1; incarnation <= 3; ++incarnation) {
    EXPECT_EQ(error_of(config), "");
    std::ifstream in(config.data_dir + "/state");
    const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    const auto state = state_of_text(text);
    ASSERT_TRUE(state.has_value());
    EXPECT_EQ(state->incarnation, incarnation);
    if (incarnation == 1) id = state->id;
    EXPECT_EQ(state->id, id);
  }
}

// What is at a level may be written as an older program would read it wrong.
TEST_F(RunningNodeTest, DataOfAClusterAtALaterLevelIsLeftAlone) {
  std::filesystem::create_directories(folder_ + "/n1");
  StoredState stored;
  stored.id = NodeId{5};
  stored.incarnation = 3;
  stored.cluster = {1, 2};
  const auto start_at = [&](uint32_t level, uint32_t speaks) {
    stored.level = level;
    std::ofstream(folder_ + "/n1/state") << state_text_of(stored);
    ServeConfig with = config();
    with.protocol_version = speaks;
    return error_of(with);
  };
  EXPECT_EQ(start_at(1, 1), "");
  EXPECT_EQ(start_at(2, 1), folder_ +
                                "/n1: its cluster is at protocol 2, and this node speaks 1 to 1 "
                                "with --protocol-version");
  EXPECT_EQ(start_at(3, 2), folder_ +
                                "/n1: its cluster is at protocol 3, and this node speaks 1 to 2: "
                                "it needs a later version");
  std::string text;
  std::getline(std::ifstream(folder_ + "/n1/state"), text, '\0');
  EXPECT_EQ(text, state_text_of(stored)) << "nothing was changed";
}

TEST_F(RunningNodeTest, WhatItCannotStartWithIsNamed) {
  const ServeConfig good = config("good");
  auto running = RunningNode::start(good, log_);
  ASSERT_TRUE(std::holds_alternative<std::unique_ptr<RunningNode>>(running));
  const RunningNode& node = *std::get<std::unique_ptr<RunningNode>>(running);

  ServeConfig port_in_use = config();
  port_in_use.listeners[0].address.port = node.listening()[0].port;
  EXPECT_EQ(error_of(port_in_use),
            "listener mqtt on 127.0.0.1:" + std::to_string(node.listening()[0].port) +
                ": Address already in use");

  ServeConfig peer_in_use = config();
  peer_in_use.peer.port = node.peer_port();
  EXPECT_EQ(error_of(peer_in_use),
            "peer address " + peer_in_use.peer.text() + ": Address already in use");

  EXPECT_THAT(error_of(good),
              HasSubstr(good.data_dir + ": another shoal uses this data directory"));

  ServeConfig no_users = config();
  no_users.listeners[0].password_file = folder_ + "/users";
  EXPECT_EQ(error_of(no_users), folder_ + "/users: cannot be read");

  ServeConfig no_certificates = config();
  no_certificates.peer_tls = {folder_ + "/cert", folder_ + "/key", folder_ + "/ca"};
  EXPECT_EQ(error_of(no_certificates), folder_ + "/cert: cannot be read or is empty");

  ServeConfig damaged = config("damaged");
  std::filesystem::create_directories(damaged.data_dir);
  std::ofstream(damaged.data_dir + "/state") << "shoal-state 1\n";
  EXPECT_EQ(error_of(damaged), damaged.data_dir + "/state: is damaged");
}

}  // namespace
}  // namespace shoal
