# Rows -> a table of medians, ours over the peer's, and which targets are met.
# Exits 1 when an order of ours differed.  A run in which a daemon cut off a
# load that fell behind, or a load gave up, counts for nothing but is told.
function median(list,    n, part, i, j, swap)
{
	n = split(list, part, " ")
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && part[j] + 0 < part[j - 1] + 0; j--) {
			swap = part[j]
			part[j] = part[j - 1]
			part[j - 1] = swap
		}
	return n == 0 ? "" : n % 2 ? part[(n + 1) / 2] : \
	    (part[n / 2] + part[n / 2 + 1]) / 2
}
function note(name)
{
	if (name in v)
		values[key, v["impl"], name] = values[key, v["impl"], name] " " v[name]
}
{
	split("", v)
	for (i = 1; i <= NF; i++) {
		split($i, kv, "=")
		v[kv[1]] = kv[2]
	}
	key = v["bench"] " " v["n"] " " v["senders"] " " v["size"] " " v["loss"] \
	    " " v["gap_us"]
	if (!(key in seen))
		keys[++key_count] = key
	seen[key] = 1
	if (v["order"] == "DIFFERS" || v["badseq"] != 0)
		bad[v["impl"]]++
	if (v["order"] == "lost")
		lost[v["impl"]]++
	if (v["order"] != "same" || v["badseq"] != 0)
		next
	note("rate")
	note("own_p50_us")
	note("own_p99_us")
	note("far_p50_us")
	note("far_p99_us")
	note("cpu_s_per_million")
}
function at(key, impl, name)
{
	return median(values[key, impl, name])
}
# The better of the two priorities; sign: -1 where less is better.
function best(key, impl, name, sign,    a, b)
{
	a = at(key, impl, name)
	b = at(key, impl "-rr", name)
	return a == "" || (b != "" && (b - a) * sign > 0) ? b : a
}
function show(x, digits)
{
	return x == "" ? "-" : sprintf("%." digits "f", x)
}
function verdict(ratio, target, sign)
{
	if (target == "" || ratio == "")
		return ""
	return sprintf("%s %.1f: %s", sign > 0 ? ">=" : "<=", target,
	    (ratio - target) * sign >= 0 ? "met" : "MISSED")
}
function target_of(n, senders, size, loss)
{
	if (n != 3 || senders != 3 || loss != 0)
		return ""
	return size <= 1024 ? 2 : 1.5
}
function line(key, name, sign, digits, target,    ours, theirs, ratio)
{
	ours = best(key, "ring", name, sign)
	theirs = best(key, "peer", name, sign)
	ratio = ours != "" && theirs + 0 > 0 ? ours / theirs : ""
	split(key, k, " ")
	printf "%-4s %2d %2d %8d %4s%% %6s  %-18s %10s %10s %10s %10s %7s  %s\n",
	    k[1], k[2], k[3], k[4], k[5], k[6], name,
	    show(at(key, "ring", name), digits),
	    show(at(key, "ring-rr", name), digits),
	    show(at(key, "peer", name), digits),
	    show(at(key, "peer-rr", name), digits), show(ratio, 2),
	    verdict(ratio, target, sign)
}
END {
	printf "\n%-4s %2s %2s %8s %5s %6s  %-18s %10s %10s %10s %10s %7s\n",
	    "what", "N", "S", "bytes", "loss", "gap_us", "median of", "ring",
	    "ring-rr", "peer", "peer-rr", "ratio"
	for (i = 1; i <= key_count; i++) {
		key = keys[i]
		split(key, k, " ")
		if (k[1] == "thr") {
			line(key, "rate", 1, 0,
			    target_of(k[2], k[3], k[4], k[5]))
			line(key, "cpu_s_per_million", -1, 1, "")
			if (k[5] == 0)
				lossless[k[2], k[3], k[4]] = \
				    best(key, "ring", "rate", 1)
			else if (lossless[k[2], k[3], k[4]] > 0) {
				ratio = best(key, "ring", "rate", 1) / \
				    lossless[k[2], k[3], k[4]]
				printf "%42s%.2f of the lossless rate  %s\n", "",
				    ratio, verdict(ratio, k[5] == 1 ? 0.5 : "", 1)
			}
		} else {
			is_idle = k[2] == 3 && k[3] == 1
			line(key, "own_p50_us", -1, 1, is_idle ? 1 : "")
			line(key, "own_p99_us", -1, 1, "")
			line(key, "far_p50_us", -1, 1, "")
			line(key, "far_p99_us", -1, 1, "")
		}
	}
	for (impl in lost)
		print "# " impl ": " lost[impl] " runs in which a load ended early"
	for (impl in bad)
		print "# " impl ": " bad[impl] " runs OUT OF ORDER"
	exit bad["ring"] + bad["ring-rr"] > 0
}
