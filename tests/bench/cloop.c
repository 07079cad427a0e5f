/* The reference in C: libmodbus and libmosquitto, one request in flight, 20 publishes in flight.
 *
 *   cloop tcp HOST PORT UNITS REGISTERS PERIOD_MS SECONDS BROKER_PORT
 *   cloop rtu DEVICE BAUD UNITS REGISTERS SECONDS          (two blocks a unit, at 0 and 100)
 *
 * Prints one JSON object: blocks read, errors, CPU seconds. RTU keeps 3.5 characters of silence by
 * itself, because libmodbus does not.
 */
#include <errno.h>
#include <modbus/modbus.h>
#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void sleep_until(double when)
{
    struct timespec t = {(time_t)when, (long)((when - (time_t)when) * 1e9)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static double cpu_s(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return use.ru_utime.tv_sec + use.ru_utime.tv_usec / 1e6 + use.ru_stime.tv_sec +
           use.ru_stime.tv_usec / 1e6;
}

static void report(long blocks, long errors, double seconds)
{
    printf("{\"blocks\": %ld, \"errors\": %ld, \"cpu_s\": %.4f, \"seconds\": %.3f}\n", blocks, errors,
           cpu_s(), seconds);
}

static int run_tcp(char **argv)
{
    int units = atoi(argv[4]), count = atoi(argv[5]);
    double period = atof(argv[6]) / 1000, seconds = atof(argv[7]);
    uint16_t registers[125];
    char payload[4096], topic[64];
    long blocks = 0, errors = 0;
    modbus_t *bus = modbus_new_tcp(argv[2], atoi(argv[3]));
    struct mosquitto *mqtt;

    mosquitto_lib_init();
    mqtt = mosquitto_new(NULL, true, NULL);
    mosquitto_max_inflight_messages_set(mqtt, 20);
    if (modbus_connect(bus) != 0 || mosquitto_connect(mqtt, "127.0.0.1", atoi(argv[8]), 60) != 0)
        return 1;
    double begun = now_s(), next = begun;
    while (now_s() - begun < seconds) {
        for (int unit = 1; unit <= units; unit++) {
            modbus_set_slave(bus, unit);
            if (modbus_read_registers(bus, 0, count, registers) != count) {
                errors++;
                continue;
            }
            int used = snprintf(payload, sizeof payload, "{\"unit\": %d, \"pts\": [", unit);
            for (int i = 0; i < count; i += 2)
                used += snprintf(payload + used, sizeof payload - used, "%s%.9g", i ? ", " : "",
                                 modbus_get_float_abcd(registers + i));
            used += snprintf(payload + used, sizeof payload - used, "]}");
            snprintf(topic, sizeof topic, "bench/%d", unit);
            mosquitto_publish(mqtt, NULL, topic, used, payload, 1, false);
            mosquitto_loop(mqtt, 0, 10);
            blocks++;
        }
        next += period;
        while (period > 0 && now_s() < next)
            mosquitto_loop(mqtt, (int)((next - now_s()) * 1000) + 1, 10);
    }
    for (double end = now_s() + 0.5; now_s() < end;)
        mosquitto_loop(mqtt, 50, 10);
    report(blocks, errors, now_s() - begun);
    return 0;
}

static int run_rtu(char **argv)
{
    int baud = atoi(argv[3]), units = atoi(argv[4]), count = atoi(argv[5]) / 2;
    double seconds = atof(argv[6]), gap = 3.5 * 11.0 / baud;
    uint16_t registers[125];
    long blocks = 0, errors = 0;
    /* A pty holds no parity; the line simulator counts 11 bits a character all the same. */
    modbus_t *bus = modbus_new_rtu(argv[2], baud, 'N', 8, 1);

    if (modbus_connect(bus) != 0)
        return 1;
    modbus_set_response_timeout(bus, 0, 300000);
    double begun = now_s(), quiet_from = begun;
    for (int unit = 1, block = 0; now_s() - begun < seconds;) {
        modbus_set_slave(bus, unit);
        sleep_until(quiet_from + gap);
        if (modbus_read_registers(bus, block ? 100 : 0, count, registers) == count)
            blocks++;
        else
            errors++;
        quiet_from = now_s();
        if (block)
            unit = unit % units + 1;
        block = !block;
    }
    report(blocks, errors, now_s() - begun);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 9 && strcmp(argv[1], "tcp") == 0)
        return run_tcp(argv);
    if (argc == 7 && strcmp(argv[1], "rtu") == 0)
        return run_rtu(argv);
    fprintf(stderr, "usage: see the head of this file\n");
    return 2;
}
