#include "node/runtime/mailbox.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <memory>
#include <thread>

namespace shoal {
namespace {

using Mail = std::pair<int, int>;  // sender, number

bool is_ready(const WakeUp& wake_up, int timeout_ms) {
  pollfd ready{wake_up.fd(), POLLIN, 0};
  return ::poll(&ready, 1, timeout_ms) == 1;
}

TEST(Mailbox, WakesOnlyWhoSleepsAndOnce) {
  WakeUp wake_up;
  Mailbox<int> mailbox(wake_up);
  mailbox.post(1);
  EXPECT_FALSE(is_ready(wake_up, 0)) << "the reader was awake";
  wake_up.sleep();
  EXPECT_TRUE(mailbox.has_mail()) << "so the reader does not go to sleep";
  mailbox.post(2);
  EXPECT_TRUE(is_ready(wake_up, 0));
  wake_up.clear();
  mailbox.post(3);
  EXPECT_FALSE(is_ready(wake_up, 0)) << "it was woken once";
  std::vector<int> mails;
  mailbox.take(mails);
  EXPECT_EQ(mails, (std::vector{1, 2, 3}));
  EXPECT_FALSE(mailbox.has_mail());
}

TEST(Mailbox, WhatNobodyWaitsForWakesNobody) {
  WakeUp wake_up;
  Mailbox<int> mailbox(wake_up);
  wake_up.sleep();
  mailbox.leave(1);
  EXPECT_FALSE(is_ready(wake_up, 0));
  EXPECT_TRUE(mailbox.has_mail()) << "a reader that is awake does not go to sleep before it";
  mailbox.post(2);
  EXPECT_TRUE(is_ready(wake_up, 0));
  std::vector<int> mails;
  mailbox.take(mails);
  EXPECT_EQ(mails, (std::vector{1, 2}));
}

TEST(Mailbox, NothingIsLostAndEachSendersOrderHolds) {
  constexpr int kSenders = 3;
  constexpr int kMails = 20'000;
  WakeUp wake_up;
  Mailbox<Mail> mailbox(wake_up);
  std::vector<std::thread> senders;
  for (int sender = 0; sender < kSenders; ++sender) {
    senders.emplace_back([&mailbox, sender] {
      std::vector<Mail> batch;
      for (int i = 0; i < kMails; ++i) {
        batch.emplace_back(sender, i);
        if (i % 7 == 0) mailbox.post_all(batch);
      }
      mailbox.post_all(batch);
    });
  }
  std::vector<int> next(kSenders, 0);
  std::vector<Mail> mails;
  for (int got = 0; got < kSenders * kMails;) {
    mailbox.take(mails);
    for (const auto& [sender, number] : mails)
      ASSERT_EQ(number, next[static_cast<size_t>(sender)]++);
    got += static_cast<int>(mails.size());
    mails.clear();
    wake_up.sleep();
    // Ten seconds without mail would be a lost wake-up.
    if (got < kSenders * kMails && !mailbox.has_mail()) {
      ASSERT_TRUE(is_ready(wake_up, 10'000));
      wake_up.clear();
    }
    wake_up.awake();
  }
  for (std::thread& sender : senders) sender.join();
}

}  // namespace
}  // namespace shoal
