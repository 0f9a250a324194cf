#include "node/rules/forward_batch.h"

#include <gtest/gtest.h>

#include <string>

#include "shoal/random.h"
#include "tests/rules/forward_roundtrip.h"

namespace shoal {
namespace {

constexpr Instant kSentAt{1'000'000'000};

std::span<const uint8_t> view_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

struct Sent {
  Qos qos = Qos::k0;
  bool retain = false;
  std::string topic = "t";
  std::string properties;
  std::string payload;
  Instant expires_at = Instant::never();
  uint64_t publisher = 0;
  uint64_t worker_mask = 1;
  std::vector<SharedPick> picks;

  MessageView view() const {
    return {qos, retain, topic, view_of(properties), view_of(payload), expires_at, publisher};
  }
};

std::vector<ForwardBatchRef> batches_of(ForwardBatchWriter& writer) {
  std::vector<ForwardBatchRef> batches;
  writer.finish(batches);
  return batches;
}

ForwardBatchRef batch_of(const std::vector<Sent>& messages) {
  ForwardBatchWriter writer(3);
  for (const Sent& sent : messages)
    writer.append(sent.view(), sent.worker_mask, sent.picks, kSentAt);
  const std::vector<ForwardBatchRef> batches = batches_of(writer);
  EXPECT_EQ(batches.size(), 1u);
  return batches.front();
}

std::string as_text(std::span<const uint8_t> bytes) { return {bytes.begin(), bytes.end()}; }

void expect_same(const ForwardRecord& read, const Sent& sent) {
  EXPECT_EQ(read.message.qos, sent.qos);
  EXPECT_EQ(read.message.retain, sent.retain);
  EXPECT_EQ(read.message.topic, sent.topic);
  EXPECT_EQ(as_text(read.message.properties), sent.properties);
  EXPECT_EQ(as_text(read.message.payload), sent.payload);
  EXPECT_EQ(read.message.publisher, sent.publisher);
  EXPECT_EQ(read.worker_mask, sent.worker_mask);
  EXPECT_EQ(picks_of(read), sent.picks);
  EXPECT_FALSE(read.large);
}

const std::vector<Sent> kSamples = {
    {},
    {.topic = "a/b/c", .payload = "hello"},
    {.qos = Qos::k1, .topic = "q1", .payload = "x", .publisher = 0xFEDCBA9876543210},
    {.qos = Qos::k2, .retain = true, .topic = "q2", .properties = std::string("\x03\x00\x01j", 4)},
    {.topic = "masked", .worker_mask = ~uint64_t{0}},
    {.topic = "picked", .worker_mask = 0, .picks = {{63, "$share/g/a/+"}, {0, "$share/h/#"}}},
    {.qos = Qos::k1, .topic = std::string(65'535, 't'), .payload = std::string(300, 'p')},
};

TEST(ForwardBatch, ReadsWhatWasWritten) {
  const ForwardBatchRef batch = batch_of(std::vector<Sent>(kSamples.begin(), kSamples.end() - 1));
  EXPECT_EQ(batch->origin_worker, 3);
  EXPECT_EQ(batch->messages, 6u);
  EXPECT_EQ(batch->worker_mask, ~uint64_t{0});
  EXPECT_EQ(batch->first_number, 1u);
  EXPECT_EQ(batch->last_number, 2u);
  ForwardBatchReader reader(*batch, kSentAt);
  ForwardRecord record;
  const uint64_t numbers[] = {0, 0, 1, 2, 0, 0};
  for (size_t i = 0; i < 6; ++i) {
    ASSERT_TRUE(reader.next(record)) << i;
    expect_same(record, kSamples[i]);
    EXPECT_EQ(record.number, numbers[i]);
  }
  EXPECT_FALSE(reader.next(record));
  EXPECT_TRUE(reader.ok());
}

TEST(ForwardBatch, ExpiryTravelsAsWhatIsLeft) {  // [MQTT5-3.3.2-6]
  struct Case {
    Instant expires_at;
    Instant read_as;  // by a reader whose clock shows kReadAt
  };
  const Case cases[] = {
      {Instant::never(), Instant::never()},
      {kSentAt + Duration::seconds(7), kReadAt + Duration::seconds(7)},
      {kSentAt + Duration::millis(1) + Duration{999'999}, kReadAt + Duration::millis(1)},
      {kSentAt, kReadAt},
      {kSentAt - Duration::seconds(1), kReadAt},
      {kSentAt + Duration::seconds(UINT32_MAX), kReadAt + Duration::seconds(UINT32_MAX)},
  };
  for (const Case& c : cases) {
    const ForwardBatchRef batch = batch_of({{.expires_at = c.expires_at}});
    ForwardBatchReader reader(*batch, kReadAt);
    ForwardRecord record;
    ASSERT_TRUE(reader.next(record));
    EXPECT_EQ(record.message.expires_at.ns, c.read_as.ns);
  }
}

TEST(ForwardBatch, NumbersGoOnFromBatchToBatch) {
  ForwardBatchWriter writer(0);
  EXPECT_TRUE(writer.empty());
  const Sent quiet;
  const Sent sure{.qos = Qos::k1};
  EXPECT_EQ(writer.append(quiet.view(), 1, {}, kSentAt), 0u);
  EXPECT_FALSE(writer.empty());
  const ForwardBatchRef first = batches_of(writer).front();
  EXPECT_EQ(first->first_number, 0u);
  EXPECT_EQ(first->last_number, 0u);
  EXPECT_EQ(writer.append(sure.view(), 1, {}, kSentAt), 1u);
  EXPECT_EQ(writer.append(quiet.view(), 1, {}, kSentAt), 0u);
  EXPECT_EQ(writer.append(sure.view(), 2, {}, kSentAt), 2u);
  const ForwardBatchRef second = batches_of(writer).front();
  EXPECT_EQ(second->first_number, 1u);
  EXPECT_EQ(second->last_number, 2u);
  EXPECT_EQ(second->worker_mask, 3u);
  EXPECT_TRUE(writer.empty());
  EXPECT_TRUE(batches_of(writer).empty());
}

TEST(ForwardBatch, ALongTurnIsCutIntoBatches) {
  ForwardBatchWriter writer(0);
  const Sent sent{.qos = Qos::k1, .payload = std::string(1000, 'x')};
  for (int i = 0; i < 200; ++i) writer.append(sent.view(), 1, {}, kSentAt);
  const std::vector<ForwardBatchRef> batches = batches_of(writer);
  ASSERT_EQ(batches.size(), 4u);
  uint64_t number = 1;
  for (const ForwardBatchRef& batch : batches) {
    EXPECT_EQ(batch->first_number, number);
    EXPECT_LT(batch->records.size(), ForwardBatchWriter::kBatchBytes + 1100);
    ForwardBatchReader reader(*batch, kSentAt);
    for (ForwardRecord record; reader.next(record);) EXPECT_EQ(record.number, number++);
    EXPECT_TRUE(reader.ok());
  }
  EXPECT_EQ(number, 201u);
}

TEST(ForwardBatch, ALargeMessageTravelsAloneAndByReference) {
  ForwardBatchWriter writer(1);
  const Sent small{.qos = Qos::k1};
  const Sent large{.topic = "big", .properties = "prop", .payload = std::string(500'000, 'L')};
  const MessageRef message = Message::create(large.view());
  EXPECT_TRUE(travels_by_reference(large.view(), Limits{}));
  EXPECT_FALSE(travels_by_reference(small.view(), Limits{}));
  EXPECT_EQ(writer.append(small.view(), 1, {}, kSentAt), 1u);
  EXPECT_EQ(writer.append_large(message, 5, {}, kSentAt), 2u);
  EXPECT_EQ(writer.append(small.view(), 1, {}, kSentAt), 3u);
  const std::vector<ForwardBatchRef> batches = batches_of(writer);
  ASSERT_EQ(batches.size(), 3u);
  const ForwardBatch& batch = *batches[1];
  EXPECT_LT(batch.records.size(), 100u);
  EXPECT_EQ(batch.bytes(), batch.records.size() + 500'004);
  ForwardBatchReader reader(batch, kSentAt);
  ForwardRecord record;
  ASSERT_TRUE(reader.next(record));
  EXPECT_EQ(record.large, message);
  EXPECT_EQ(record.message.payload.data(), message->payload().data());
  EXPECT_EQ(record.number, 2u);
  EXPECT_FALSE(reader.next(record));
  EXPECT_TRUE(reader.ok());
}

std::string wire_of(const ForwardBatch& batch) {
  std::string wire;
  serialize(batch, wire);
  return wire;
}

TEST(ForwardWire, ALargeMessageIsPutTogetherAgain) {
  ForwardBatchWriter writer(1);
  const Sent sent{.qos = Qos::k2,
                  .retain = true,
                  .topic = "big",
                  .properties = "prop",
                  .payload = std::string(300'000, 'L'),
                  .expires_at = kSentAt + Duration::seconds(9),
                  .publisher = 77};
  writer.append_large(Message::create(sent.view()), 5, std::vector<SharedPick>{{6, "$share/g/big"}},
                      kSentAt);
  const ForwardBatchRef batch = batches_of(writer).front();
  std::string parts;
  for (const auto part : large_parts(*batch)) parts += as_text(part);

  auto parsed = parse_forward_batch(view_of(wire_of(*batch)));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->large_bytes, parts.size());
  std::shared_ptr<uint8_t[]> arrived(new uint8_t[parts.size()]);
  std::memcpy(arrived.get(), parts.data(), parts.size());
  EXPECT_FALSE(attach_large(*parsed->batch, arrived, parts.size() - 1, kReadAt));
  ASSERT_TRUE(attach_large(*parsed->batch, arrived, parts.size(), kReadAt));

  ForwardBatchReader reader(*parsed->batch, kReadAt);
  ForwardRecord record;
  ASSERT_TRUE(reader.next(record));
  EXPECT_EQ(record.message.topic, "big");
  EXPECT_EQ(as_text(record.message.properties), "prop");
  EXPECT_EQ(record.message.payload.data(), arrived.get() + 4);  // not copied
  EXPECT_EQ(record.message.payload.size(), 300'000u);
  EXPECT_EQ(record.large->expires_at(), kReadAt + Duration::seconds(9));
  EXPECT_EQ(record.large->publisher(), 77u);
  EXPECT_EQ(record.large->qos(), Qos::k2);
  EXPECT_TRUE(record.large->retain());
  EXPECT_EQ(record.worker_mask, 5u);
  EXPECT_EQ(picks_of(record), (std::vector<SharedPick>{{6, "$share/g/big"}}));
}

// ---- what a peer might send
// ----------------------------------------------------------------------

std::vector<uint8_t> records_of(std::initializer_list<int> after_format) {
  std::vector<uint8_t> out = {1};
  for (const int byte : after_format) out.push_back(static_cast<uint8_t>(byte));
  return out;
}

ForwardBatch claiming(std::vector<uint8_t> records, uint64_t mask, uint64_t first, uint64_t last,
                      uint32_t messages) {
  ForwardBatch batch;
  batch.worker_mask = mask;
  batch.first_number = first;
  batch.last_number = last;
  batch.messages = messages;
  batch.records = std::move(records);
  return batch;
}

TEST(ForwardWire, RecordsThatAreNotRight) {
  struct Case {
    const char* what;
    bool fine;
    std::vector<uint8_t> records;
    uint64_t mask = 1;
    uint64_t first = 0;
    uint64_t last = 0;
    uint32_t messages = 1;
  };
  // size, flags, mask, [...] topic size, topic, properties size, payload
  const Case cases[] = {
      {"the least", true, records_of({5, 0, 0, 0, 0, 1, 1, 't', 0})},
      {"with a payload", true, records_of({7, 0, 0, 0, 0, 1, 1, 't', 0, 'p', 'p'})},
      {"numbered", true, records_of({5, 0, 0, 0, 1, 1, 1, 't', 0}), 1, 9, 9},
      {"an addition", true, records_of({9, 0, 0, 0, 0x80, 1, 1, 2, 'x', 'y', 1, 't', 0})},
      {"no format", false, {}},
      {"another format", false, {2, 5, 0, 0, 0, 0, 1, 1, 't', 0}},
      {"no record", false, records_of({}), 0, 0, 0, 0},
      {"half a size", false, records_of({5, 0})},
      {"cut short", false, records_of({5, 0, 0, 0, 0, 1, 1, 't'})},
      {"bytes behind", false, records_of({5, 0, 0, 0, 0, 1, 1, 't', 0, 0})},
      {"unknown flags", false, records_of({6, 0, 0, 0, 0x80, 2, 1, 1, 't', 0})},
      {"QoS 3", false, records_of({5, 0, 0, 0, 3, 1, 1, 't', 0}), 1, 1, 1},
      {"padded mask", false, records_of({6, 0, 0, 0, 0, 0x81, 0, 1, 't', 0})},
      {"padded flags", false, records_of({6, 0, 0, 0, 0x80, 0, 1, 1, 't', 0})},
      {"for nobody", false, records_of({5, 0, 0, 0, 0, 0, 1, 't', 0}), 0},
      {"no topic", false, records_of({4, 0, 0, 0, 0, 1, 0, 0})},
      {"topic too long for the record", false, records_of({5, 0, 0, 0, 0, 1, 9, 't', 0})},
      {"properties too long", false, records_of({5, 0, 0, 0, 0, 1, 1, 't', 1})},
      {"publisher 0", false, records_of({13, 0, 0, 0, 8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 't', 0})},
      {"expires in 500 years", false,
       records_of({12, 0, 0, 0, 16, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 1, 't', 0})},
      {"no picks", false, records_of({6, 0, 0, 0, 32, 1, 0, 1, 't', 0})},
      {"a pick", true, records_of({9, 0, 0, 0, 32, 0, 1, 0, 1, 'g', 1, 't', 0})},
      {"a pick without filter", false, records_of({8, 0, 0, 0, 32, 1, 1, 0, 0, 1, 't', 0})},
      {"a pick of worker 64", false, records_of({9, 0, 0, 0, 32, 1, 1, 64, 1, 'g', 1, 't', 0})},
      {"more picks than bytes", false, records_of({9, 0, 0, 0, 32, 1, 2, 0, 1, 'g', 1, 't', 0})},
      {"large", true, records_of({6, 0, 0, 0, 64, 1, 1, 't', 2, 9}), 1, 1, 1},
      {"large and empty", false, records_of({6, 0, 0, 0, 64, 1, 1, 't', 0, 0}), 1, 1, 1},
      {"large with its payload", false, records_of({7, 0, 0, 0, 64, 1, 1, 't', 0, 1, 'p'}), 1, 1,
       1},
      {"large and not alone", false,
       records_of({6, 0, 0, 0, 64, 1, 1, 't', 2, 9, 5, 0, 0, 0, 0, 1, 1, 't', 0}), 1, 1, 1, 2},
      {"larger than 64 bits", false,
       records_of({24,   0,    0,    0, 64,   1,    1,    't',  0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                   0xFF, 0xFF, 0xFF, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1}),
       1, 1, 1},
      {"fewer messages", false, records_of({5, 0, 0, 0, 0, 1, 1, 't', 0}), 1, 0, 0, 2},
      {"more messages", false, records_of({5, 0, 0, 0, 0, 1, 1, 't', 0}), 1, 0, 0, 0},
      {"another mask", false, records_of({5, 0, 0, 0, 0, 1, 1, 't', 0}), 3},
      {"numbers for none", false, records_of({5, 0, 0, 0, 0, 1, 1, 't', 0}), 1, 1, 1},
      {"none for a number", false, records_of({5, 0, 0, 0, 1, 1, 1, 't', 0})},
      {"too many numbers", false, records_of({5, 0, 0, 0, 1, 1, 1, 't', 0}), 1, 1, 2},
      {"backwards", false, records_of({5, 0, 0, 0, 1, 1, 1, 't', 0}), 1, 2, 1},
  };
  for (const Case& c : cases) {
    const std::string wire = wire_of(claiming(c.records, c.mask, c.first, c.last, c.messages));
    auto parsed = parse_forward_batch(view_of(wire));
    EXPECT_EQ(parsed.has_value(), c.fine) << c.what;
    if (parsed) EXPECT_EQ(check_accepted_batch(view_of(wire), *parsed), nullptr) << c.what;
  }
}

TEST(ForwardWire, HeadersThatAreNotRight) {
  const std::string good = wire_of(*batch_of({{}}));
  ASSERT_TRUE(parse_forward_batch(view_of(good)));
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(parse_forward_batch(view_of(good.substr(0, size)))) << size;
  }
  std::string other_format = good;
  other_format[0] = 2;
  EXPECT_FALSE(parse_forward_batch(view_of(other_format)));
  std::string other_worker = good;
  other_worker[1] = kWorkersMax;
  EXPECT_FALSE(parse_forward_batch(view_of(other_worker)));
}

TEST(ForwardWire, MutatedBatchesAreRefusedOrConsistent) {
  std::string wire = wire_of(*batch_of(std::vector<Sent>(kSamples.begin(), kSamples.end() - 1)));
  Random random(1);
  int accepted = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string bytes = wire;
    for (uint64_t edits = 1 + random.below(3); edits > 0; --edits) {
      const size_t at = static_cast<size_t>(random.below(bytes.size()));
      switch (random.below(4)) {
        case 0: bytes[at] = static_cast<char>(random.next()); break;
        case 1: bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8))); break;
        case 2: bytes.erase(at, 1 + random.below(4)); break;
        default: bytes.insert(at, 1, static_cast<char>(random.below(3)));
      }
    }
    auto parsed = parse_forward_batch(view_of(bytes));
    if (!parsed) continue;
    ++accepted;
    ASSERT_EQ(check_accepted_batch(view_of(bytes), *parsed), nullptr) << "round " << round;
  }
  EXPECT_GT(accepted, 1000);  // changed topics and payloads are fine
}

TEST(ForwardWire, RandomBatchesComeBack) {
  Random random(2);
  for (int round = 0; round < 300; ++round) {
    std::vector<Sent> sent(1 + random.below(20));
    for (Sent& each : sent) {
      each.qos = static_cast<Qos>(random.below(3));
      each.retain = random.one_in(2);
      each.topic = std::string(1 + random.below(200), 'a');
      each.properties = std::string(random.below(200), 'b');
      each.payload = std::string(random.below(500), 'c');
      each.publisher = random.one_in(2) ? random.next() : 0;
      each.worker_mask = random.next() >> random.below(63) | 1;
      for (uint64_t picks = random.below(3); picks > 0; --picks) {
        each.picks.push_back({static_cast<WorkerIndex>(random.below(64)), "$share/group/a/b"});
      }
    }
    auto parsed = parse_forward_batch(view_of(wire_of(*batch_of(sent))));
    ASSERT_TRUE(parsed);
    ForwardBatchReader reader(*parsed->batch, kReadAt);
    ForwardRecord record;
    for (const Sent& each : sent) {
      ASSERT_TRUE(reader.next(record));
      expect_same(record, each);
    }
    EXPECT_FALSE(reader.next(record));
    EXPECT_TRUE(reader.ok());
  }
}

}  // namespace
}  // namespace shoal
