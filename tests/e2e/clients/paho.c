// Eclipse Paho's C client: a subscriber and a publisher on two nodes, each QoS, a retained message.
// paho VERSION SUBSCRIBER_URL PUBLISHER_URL CA TOPIC; exits with 0 when all that was expected came.
#include <MQTTClient.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int version;
static const char* ca;

static void check(int is_good, const char* what) {
  if (is_good) return;
  fprintf(stderr, "paho, MQTT %d: %s\n", version, what);
  exit(1);
}

static MQTTClient connect_to(const char* url, const char* client_id) {
  MQTTClient_createOptions create = MQTTClient_createOptions_initializer;
  create.MQTTVersion = version;
  MQTTClient client;
  check(MQTTClient_createWithOptions(&client, url, client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL,
                                     &create) == MQTTCLIENT_SUCCESS,
        "create");
  MQTTClient_SSLOptions tls = MQTTClient_SSLOptions_initializer;
  tls.trustStore = ca;
  tls.verify = 1;
  MQTTClient_connectOptions plain = MQTTClient_connectOptions_initializer;
  MQTTClient_connectOptions options5 = MQTTClient_connectOptions_initializer5;
  MQTTClient_connectOptions options = version == MQTTVERSION_5 ? options5 : plain;
  options.MQTTVersion = version;
  options.connectTimeout = 30;
  options.ssl = &tls;
  if (version == MQTTVERSION_5) {
    const MQTTResponse response = MQTTClient_connect5(client, &options, NULL, NULL);
    check(response.reasonCode == MQTTREASONCODE_SUCCESS, "CONNACK");
    MQTTResponse_free(response);
  } else {
    check(MQTTClient_connect(client, &options) == MQTTCLIENT_SUCCESS, "CONNACK");
  }
  return client;
}

static void subscribe(MQTTClient client, const char* topic, int qos) {
  if (version == MQTTVERSION_5) {
    const MQTTResponse response = MQTTClient_subscribe5(client, topic, qos, NULL, NULL);
    check((int)response.reasonCode == qos, "SUBACK");
    MQTTResponse_free(response);
  } else {
    check(MQTTClient_subscribe(client, topic, qos) == MQTTCLIENT_SUCCESS, "SUBACK");
  }
}

static void publish(MQTTClient client, const char* topic, const char* payload, int qos,
                    int retained) {
  const int size = (int)strlen(payload);
  MQTTClient_deliveryToken token = 0;
  if (version == MQTTVERSION_5) {
    const MQTTResponse response =
        MQTTClient_publish5(client, topic, size, payload, qos, retained, NULL, &token);
    check(response.reasonCode == MQTTREASONCODE_SUCCESS, "publish");
    MQTTResponse_free(response);
  } else {
    check(MQTTClient_publish(client, topic, size, payload, qos, retained, &token) ==
              MQTTCLIENT_SUCCESS,
          "publish");
  }
  check(MQTTClient_waitForCompletion(client, token, 30000) == MQTTCLIENT_SUCCESS,
        "acknowledgement");
}

static void expect(MQTTClient client, const char* topic, const char* payload, int qos,
                   int retained) {
  char* from = NULL;
  int from_size = 0;
  MQTTClient_message* message = NULL;
  const int result = MQTTClient_receive(client, &from, &from_size, &message, 30000);
  check(
      (result == MQTTCLIENT_SUCCESS || result == MQTTCLIENT_TOPICNAME_TRUNCATED) && message != NULL,
      "no message came");
  check(strcmp(from, topic) == 0, "another topic");
  check(message->payloadlen == (int)strlen(payload) &&
            memcmp(message->payload, payload, strlen(payload)) == 0,
        "another payload");
  check(message->qos == qos, "another QoS");
  check(message->retained == retained, "another retain flag");
  MQTTClient_freeMessage(&message);
  MQTTClient_free(from);
}

static void leave(MQTTClient* client) {
  check(MQTTClient_isConnected(*client), "not connected to the end");
  if (version == MQTTVERSION_5) {
    MQTTClient_disconnect5(*client, 1000, MQTTREASONCODE_SUCCESS, NULL);
  } else {
    MQTTClient_disconnect(*client, 1000);
  }
  MQTTClient_destroy(client);
}

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  version = strcmp(argv[1], "5.0") == 0   ? MQTTVERSION_5
            : strcmp(argv[1], "3.1") == 0 ? MQTTVERSION_3_1
                                          : MQTTVERSION_3_1_1;
  ca = argv[4];
  MQTTClient_init_options init = MQTTClient_init_options_initializer;
  init.do_openssl_init = 1;
  MQTTClient_global_init(&init);
  MQTTClient subscriber = connect_to(argv[2], "paho-c-sub");
  MQTTClient publisher = connect_to(argv[3], "paho-c-pub");
  char topic[256];
  for (int qos = 0; qos <= 2; ++qos) {
    snprintf(topic, sizeof topic, "%s/%d", argv[5], qos);
    subscribe(subscriber, topic, qos);
    for (int i = 0; i < 5; ++i) {
      char payload[32];
      snprintf(payload, sizeof payload, "message %d", i);
      publish(publisher, topic, payload, qos, 0);
      expect(subscriber, topic, payload, qos, 0);
    }
  }
  snprintf(topic, sizeof topic, "%s/kept", argv[5]);
  publish(publisher, topic, "kept", 1, 1);
  subscribe(subscriber, topic, 1);
  expect(subscriber, topic, "kept", 1, 1);
  publish(publisher, topic, "", 1, 1);
  leave(&publisher);
  leave(&subscriber);
  return 0;
}
