#include "cluster/rpc/lane_calls.h"

#include <array>
#include <utility>

namespace shoal {
namespace {

class DialedLane final : public grpc::ClientBidiReactor<rpc::Batch, rpc::Batch>, public LaneStream {
 public:
  DialedLane(std::shared_ptr<PeerLink> link, Lane lane) : link_(std::move(link)), lane_(lane) {}
  virtual ~DialedLane() = default;

  void start(const std::string& token, const std::shared_ptr<grpc::Channel>& channel) {
    context_.AddMetadata(kLinkKey, token);
    context_.AddMetadata(kLaneKey, std::to_string(static_cast<int>(lane_)));
    rpc::Peer::NewStub(channel)->async()->Lane(&context_, this);
    AddHold();  // reads and writes are started from other threads, until finish()
    StartCall();
  }

  void open() override {}
  void read(rpc::Batch* into) override { StartRead(into); }
  void write(const rpc::Batch* from) override { StartWrite(from); }
  bool end_writes() override {
    StartWritesDone();
    return false;
  }
  void cancel() override { context_.TryCancel(); }
  void finish() override { RemoveHold(); }

  void OnReadInitialMetadataDone(bool ok) override {
    if (ok) return link_->on_ready(lane_);
    link_->fail("");
  }
  void OnReadDone(bool ok) override { link_->on_read(lane_, ok); }
  void OnWriteDone(bool ok) override { link_->on_written(lane_, ok); }
  void OnDone(const grpc::Status& status) override {
    const bool says_why = status.error_code() != grpc::StatusCode::CANCELLED;
    const std::string why = says_why ? status.error_message() : std::string();
    const std::shared_ptr<PeerLink> link = link_;
    delete this;  // first: it holds the channel
    link->on_ended(why);
  }

 private:
  const std::shared_ptr<PeerLink> link_;
  const Lane lane_;
  grpc::ClientContext context_;
};

class AcceptedLane final : public grpc::ServerBidiReactor<rpc::Batch, rpc::Batch>,
                           public LaneStream {
 public:
  AcceptedLane(std::shared_ptr<PeerLink> link, Lane lane, grpc::CallbackServerContext& context)
      : link_(std::move(link)), lane_(lane), context_(context) {}
  virtual ~AcceptedLane() = default;

  void open() override { StartSendInitialMetadata(); }
  void read(rpc::Batch* into) override { StartRead(into); }
  void write(const rpc::Batch* from) override { StartWrite(from); }
  bool end_writes() override {
    Finish(grpc::Status::OK);
    return true;
  }
  void cancel() override { context_.TryCancel(); }
  void finish() override { Finish(grpc::Status::CANCELLED); }

  void OnReadDone(bool ok) override { link_->on_read(lane_, ok); }
  void OnWriteDone(bool ok) override { link_->on_written(lane_, ok); }
  void OnCancel() override { link_->on_cancelled(lane_); }
  void OnDone() override {
    const std::shared_ptr<PeerLink> link = link_;
    delete this;
    link->on_ended("");
  }

 private:
  const std::shared_ptr<PeerLink> link_;
  const Lane lane_;
  grpc::CallbackServerContext& context_;  // alive until OnDone
};

class RefusedLane final : public grpc::ServerBidiReactor<rpc::Batch, rpc::Batch> {
 public:
  explicit RefusedLane(const char* why) {
    Finish(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, why));
  }
  void OnDone() override { delete this; }
};

}  // namespace

void dial_lanes(const std::shared_ptr<PeerLink>& link, const std::string& token,
                const std::shared_ptr<grpc::Channel>& channel,
                const std::shared_ptr<grpc::Channel>& bulk_channel) {
  link->dial([&] {
    std::array<LaneStream*, kLaneCount> streams{};
    for (const Lane lane : {Lane::kControl, Lane::kForward, Lane::kBulk}) {
      auto* const call = new DialedLane(link, lane);
      call->start(token, lane == Lane::kBulk ? bulk_channel : channel);
      streams[static_cast<size_t>(lane)] = call;
    }
    return streams;
  });
}

grpc::ServerBidiReactor<rpc::Batch, rpc::Batch>* accept_lane(std::shared_ptr<PeerLink> link,
                                                             Lane lane,
                                                             grpc::CallbackServerContext& context) {
  auto accepted = std::make_unique<AcceptedLane>(link, lane, context);
  if (!link->attach(lane, *accepted)) return nullptr;
  link->on_ready(lane);
  return accepted.release();
}

grpc::ServerBidiReactor<rpc::Batch, rpc::Batch>* refuse_lane(const char* why) {
  return new RefusedLane(why);
}

}  // namespace shoal
