# The nodes' rows of one run -> one row.  Sets: n, foreign, words.
{
	split("", v)
	for (i = 1; i <= NF; i++) {
		split($i, kv, "=")
		v[kv[1]] = kv[2]
	}
	nodes++
	rate += v["rate"]
	badseq += v["badseq"]
	cpu += v["cpu"]
	changes += v["changes"]
	if (nodes > 1 && v["order"] != order)
		differs = 1
	order = v["order"]
	for (k in v)
		if (k ~ /^(own|far)_p/) {
			sum[k] += v[k]
			count[k]++
		}
}
function mean(key)
{
	if (key in sum)
		printf "\t%s=%.1f", key, sum[key] / count[key]
}
END {
	gsub(" ", "\t", words)
	for (i = split(words, word, "\t"); i > 0; i--) {
		split(word[i], kv, "=")
		given[kv[1]] = kv[2]
	}
	rate /= nodes > 0 ? nodes : 1
	verdict = nodes < n ? "lost" : differs ? "DIFFERS" : "same"
	printf "%s\torder=%s\tbadseq=%d\tchanges=%d\tforeign=%s", words,
	    verdict, badseq, changes, foreign
	if (given["bench"] == "thr") {
		messages = rate * given["span_s"]
		each = messages > 0 ? cpu / messages * 1e6 : 0
		printf "\trate=%.1f\tmb=%.2f\tcpu_s_per_million=%.2f", rate,
		    rate * given["size"] / 1e6, each
	}
	mean("own_p50_us")
	mean("own_p99_us")
	mean("far_p50_us")
	mean("far_p99_us")
	print ""
}
