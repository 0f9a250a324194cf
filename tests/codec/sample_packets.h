// Well-formed packets in their canonical form: one that our own encoder would write. Each type in each
// version, with nothing optional and with everything.
#pragma once

#include <string>
#include <vector>

#include "node/codec/reason_code.h"
#include "shoal/types.h"
#include "tests/codec/bytes.h"

namespace shoal {

struct SamplePacket {
  std::string name;
  ProtocolVersion version;
  Sender sender;
  Bytes bytes;
};

const std::vector<SamplePacket>& sample_packets();

}  // namespace shoal
