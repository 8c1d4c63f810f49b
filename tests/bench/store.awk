# Rows of storeload -> a table of medians, ours beside etcd's, and which
# targets are met.  Of the ways to ask a store, the best one counts.
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
{
	split("", v)
	for (i = 1; i <= NF; i++) {
		split($i, kv, "=")
		v[kv[1]] = kv[2]
	}
	key = v["op"] " " v["clients"]
	if (!(key in seen))
		keys[++key_count] = key
	seen[key] = 1
	for (name in v)
		values[key, v["impl"], v["where"], name] = \
		    values[key, v["impl"], v["where"], name] " " v[name]
	refused += v["refused"]
}
function at(key, impl, name, sign,    way, count, i, a, b)
{
	count = split("all one shared one-shared", way, " ")
	for (i = 1; i <= count; i++) {
		b = median(values[key, impl, way[i], name])
		if (a == "" || (b != "" && (b - a) * sign > 0))
			a = b
	}
	return a
}
function show(x)
{
	return x == "" ? "-" : sprintf("%.0f", x)
}
function verdict(ratio, target, sign)
{
	if (target == "" || ratio == "")
		return ""
	return sprintf("%s %.1f: %s", sign > 0 ? ">=" : "<=", target,
	    (ratio - target) * sign >= 0 ? "met" : "MISSED")
}
function line(key, name, sign, target, other,    ours, theirs, ratio)
{
	ours = at(key, "cfg", name, sign)
	theirs = at(other == "" ? key : other, "etcd", name, sign)
	ratio = ours != "" && theirs + 0 > 0 ? ours / theirs : ""
	split(key, k, " ")
	printf "%-7s %7s  %-7s %10s %10s %7s  %s\n", k[1], k[2], name,
	    show(ours), show(theirs),
	    ratio == "" ? "-" : sprintf("%.2f", ratio),
	    verdict(ratio, target, sign)
}
END {
	printf "\n%-7s %7s  %-7s %10s %10s %7s\n", "what", "clients",
	    "median", "ours", "etcd", "ratio"
	for (i = 1; i <= key_count; i++) {
		key = keys[i]
		other = key == "memory 64" ? "put 64" : ""
		if (key !~ /^watch/)
			line(key, "rate", 1, key == "put 64" ? 2 : \
			    key == "memory 64" ? 10 : "", other)
		line(key, "p50_us", -1, key == "put 1" ? 1 : "", other)
		line(key, "p99_us", -1, "", other)
	}
	if (refused > 0)
		print "# " refused " requests were refused"
}
