# Writes the past of a small shop as OpenMetrics text: 200 series over 21 days, a point every five minutes, ending at `now`.
# The load has a daily and a weekly shape; the noise comes from a seeded generator, so that the same `now` gives the same text.
#
#   awk -v now="$(date +%s)" -f tests/history.awk > history.txt

function noise() { seed = (seed * 16807) % 2147483647; return seed / 2147483647 - 0.5 }

function load(at,   hour, day) {
    hour = (at / 3600) % 24
    day = int(at / 86400 + 4) % 7
    return (1 + 0.6 * sin((hour - 9) * 0.2618)) * (day == 0 || day == 6 ? 0.7 : 1)
}

function value(metric, base, at) {
    if (metric == "shop_requests_per_second") return base * load(at) * (1 + 0.1 * noise())
    if (metric == "shop_error_ratio") return 0.002 * (1 + noise())
    if (metric == "shop_latency_p95_seconds") return 0.12 * (1 + 0.2 * load(at)) * (1 + 0.1 * noise())
    if (metric == "shop_cpu_busy_ratio") return 0.25 * load(at) * (1 + 0.1 * noise())
    return int(20 * load(at) * (1 + 0.1 * noise()))
}

BEGIN {
    seed = 42
    services = split("web cart checkout payment order auth user search", service, " ")
    metrics = split("shop_requests_per_second shop_error_ratio shop_latency_p95_seconds shop_cpu_busy_ratio shop_db_connections_used", metric, " ")
    step = 300
    last = int(now / step) * step
    first = last - 21 * 86400
    for (m = 1; m <= metrics; m++) {
        printf "# TYPE %s gauge\n", metric[m]
        for (s = 1; s <= services; s++)
            for (i = 1; i <= 5; i++)
                for (at = first; at <= last; at += step)
                    printf "%s{service=\"%s\",instance=\"%s-%d\"} %.6g %d\n", metric[m], service[s], service[s], i, value(metric[m], 40 * s, at), at
    }
    print "# EOF"
}
