#include "cluster/shard/entry.h"

#include <utility>

namespace shoal::shard {
namespace {

struct Header {
  uint64_t stamp = 0;
  template <class Self, class Fields>
  static void visit(Self& self, Fields& f) {
    f(1, self.stamp);
  }
};

template <class AnyOp>
void read_op(std::span<const uint8_t> bytes, EntryOp& out) {
  FieldReader reader(bytes);
  AnyOp op;
  reader(1, out.source);
  AnyOp::visit(op, reader);
  if (reader.finish()) {
    out.op = std::move(op);
  } else {
    out.source.reset();
  }
}

// Kinds ascend by one in the order of the variant; the alternative at 0 is none.
template <size_t... I>
void read_kind(uint64_t kind, std::span<const uint8_t> bytes, EntryOp& out,
               std::index_sequence<I...>) {
  static_assert(((std::variant_alternative_t<I + 1, Op>::kKind == I + 1) && ...));
  const auto read = [&]<size_t At>() {
    if (kind == At + 1) read_op<std::variant_alternative_t<At + 1, Op>>(bytes, out);
  };
  (read.template operator()<I>(), ...);
}

}  // namespace

EntryBuilder::EntryBuilder(uint64_t stamp) {
  bytes_ += static_cast<char>(kEntryVersion);
  std::string header;
  append_record(Header{stamp}, header);
  append_sized(header, bytes_);
}

Entry::Outcome read_entry(std::string_view bytes, Entry& entry) {
  WireSource source(bytes_of(bytes));
  const uint8_t version = source.fixed<uint8_t>();
  // Another version would be read otherwise by who knows it: no replica may guess.
  if (source.ok() && version > kEntryVersion) return Entry::Outcome::kTooNew;
  Header header;
  const bool headed = read_record(text_of(source.sized_bytes()), header);
  if (!source.ok() || !headed || version == 0) return Entry::Outcome::kMalformed;
  entry.stamp = header.stamp;
  while (source.ok() && source.left() != 0) {
    const uint64_t kind = source.varint();
    const std::span<const uint8_t> fields = source.sized_bytes();
    if (!source.ok()) return Entry::Outcome::kMalformed;
    read_kind(kind, fields, entry.ops.emplace_back(),
              std::make_index_sequence<std::variant_size_v<Op> - 1>());
  }
  const bool fits = entry.ops.size() < (size_t{1} << kPositionBits);
  return source.ok() && fits ? Entry::Outcome::kRead : Entry::Outcome::kMalformed;
}

}  // namespace shoal::shard
