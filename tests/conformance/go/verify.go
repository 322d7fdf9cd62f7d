// Verifies a record as Go verifies its own module checksums: with golang.org/x/mod/sumdb, and nothing of ours.
//
// It is told by JSON on standard input what to verify, and says on standard output what it found, or fails.
package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

type receipt struct{ Entry, Proof string }

type asked struct {
	Log           string    // the address of the log, to which checkpoint and tiles are relative
	Keys          []string  // the keys of the log
	Authorization string    // of an auditor, who may read entries; empty: only hashes are read
	Older         []string  // checkpoints that were kept
	Receipts      []receipt // of deeds
}

type found struct {
	Size    int64 // of the tree that is signed now
	Leaves  int64 // that are in it, each proved by itself
	Entries int64 // that are what the leaves commit to
	Older   []int64
	Tiles   int // that were read
}

type remote struct {
	address, authorization string
	read                   int
	proved                 map[tlog.Tile][]byte
}

func main() {
	var given asked
	must(json.NewDecoder(os.Stdin).Decode(&given))
	var verifiers []note.Verifier
	for _, key := range given.Keys {
		verifier, err := note.NewVerifier(key)
		must(err)
		verifiers = append(verifiers, verifier)
	}
	known := note.VerifierList(verifiers...)
	from := &remote{given.Log, given.Authorization, 0, map[tlog.Tile][]byte{}}
	tree := opened(string(from.get("checkpoint", "")), known)
	hashes := tlog.TileHashReader(tree, from)
	told := found{Size: tree.N, Leaves: leaves(tree, hashes)}
	if given.Authorization != "" {
		told.Entries = from.entries(tree, hashes)
	}
	for _, text := range given.Older {
		older := opened(text, known)
		proof, err := tlog.ProveTree(tree.N, older.N, hashes)
		must(err)
		must(tlog.CheckTree(proof, tree.N, tree.Hash, older.N, older.Hash))
		told.Older = append(told.Older, older.N)
	}
	for _, one := range given.Receipts {
		checkReceipt(one, known)
	}
	told.Tiles = from.read
	must(json.NewEncoder(os.Stdout).Encode(told))
}

// opened reads a checkpoint under the signature of a known key. Go's own reader of trees wants "go.sum database tree".
func opened(text string, known note.Verifiers) tlog.Tree {
	signed, err := note.Open([]byte(text), known)
	must(err)
	lines := strings.SplitN(signed.Text, "\n", 4)
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	root, err := tlog.ParseHash(lines[2])
	must(err)
	return tlog.Tree{N: size, Hash: root}
}

func leaves(tree tlog.Tree, hashes tlog.HashReader) int64 {
	for n := int64(0); n < tree.N; n++ {
		at, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, n)})
		must(err)
		proof, err := tlog.ProveRecord(tree.N, n, hashes)
		must(err)
		must(tlog.CheckRecord(proof, tree.N, tree.Hash, n, at[0]))
	}
	return tree.N
}

// entries reads every bundle of entries (C2SP tlog-tiles) and compares each entry with the leaf of the signed tree.
func (r *remote) entries(tree tlog.Tree, hashes tlog.HashReader) int64 {
	n := int64(0)
	for n < tree.N {
		tile := tlog.Tile{H: height, L: 0, N: n >> height, W: 1 << height}
		if rest := tree.N - n; rest < 1<<height {
			tile.W = int(rest)
		}
		data := r.get("tile/entries/"+strings.TrimPrefix(tile.Path(), "tile/8/0/"), r.authorization)
		for len(data) > 0 {
			end := 2 + int(binary.BigEndian.Uint16(data))
			at, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, n)})
			must(err)
			if tlog.RecordHash(data[2:end]) != at[0] {
				must(fmt.Errorf("entry %d is not what its leaf commits to", n))
			}
			data, n = data[end:], n+1
		}
	}
	return n
}

// checkReceipt checks a C2SP tlog-proof without asking anybody.
func checkReceipt(one receipt, known note.Verifiers) {
	head, checkpoint, _ := strings.Cut(one.Proof, "\n\n")
	lines := strings.Split(head, "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" {
		must(fmt.Errorf("%q is no proof", lines[0]))
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	must(err)
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := tlog.ParseHash(line)
		must(err)
		proof = append(proof, hash)
	}
	tree := opened(checkpoint, known)
	must(tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash([]byte(one.Entry))))
}

func (r *remote) Height() int { return height }

// ReadTiles reads tiles where C2SP has them: as Go's own, without the height.
func (r *remote) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range tiles {
		hashes, ok := r.proved[tile]
		if !ok {
			hashes = r.get("tile/"+strings.TrimPrefix(tile.Path(), "tile/8/"), "")
			r.read++
		}
		data = append(data, hashes)
	}
	return data, nil
}

// SaveTiles keeps tiles that were found to be those of the signed tree.
func (r *remote) SaveTiles(tiles []tlog.Tile, data [][]byte) {
	for at, tile := range tiles {
		r.proved[tile] = data[at]
	}
}

func (r *remote) get(path, authorization string) []byte {
	request, err := http.NewRequest("GET", r.address+"/"+path, nil)
	must(err)
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	answer, err := http.DefaultClient.Do(request)
	must(err)
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	must(err)
	if answer.StatusCode != http.StatusOK {
		must(fmt.Errorf("%s: %s", path, answer.Status))
	}
	return data
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
