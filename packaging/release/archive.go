package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// entry is a file or a folder of an archive. Nothing about it comes from this machine but its bytes and whether it is a program.
type entry struct {
	name   string // slash path, beginning with the folder that is packed
	file   string // "" for a folder
	mode   fs.FileMode
	length int64
}

// pack writes a folder into an archive, .tar.gz or .zip by its name: the same files and the same time give the same bytes.
func pack(folder, archive string, at time.Time) (err error) {
	write := writeTar
	if strings.HasSuffix(archive, ".zip") {
		write = writeZip
	} else if !strings.HasSuffix(archive, ".tar.gz") {
		return fmt.Errorf("%s: archives end in .tar.gz or .zip", archive)
	}
	entries, err := walk(folder)
	if err != nil {
		return err
	}
	f, err := os.Create(archive)
	if err != nil {
		return err
	}
	return errors.Join(write(f, entries, at), f.Close())
}

// walk lists a folder in the order of names (fs.WalkDir sorts), itself first.
func walk(folder string) ([]entry, error) {
	var entries []entry
	folder = filepath.Clean(folder)
	err := filepath.WalkDir(folder, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(folder, file)
		if err != nil {
			return err
		}
		e := entry{name: path.Join(filepath.Base(folder), filepath.ToSlash(relative)), file: file, mode: 0o644, length: info.Size()}
		switch {
		case d.IsDir():
			e.name, e.file, e.mode, e.length = e.name+"/", "", 0o755, 0
		case !d.Type().IsRegular():
			return fmt.Errorf("%s is neither file nor folder", file)
		case info.Mode()&0o100 != 0:
			e.mode = 0o755
		}
		entries = append(entries, e)
		return nil
	})
	return entries, err
}

func writeTar(out io.Writer, entries []entry, at time.Time) error {
	zipped, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return err
	}
	w := tar.NewWriter(zipped)
	for _, e := range entries {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Size: e.length, Mode: int64(e.mode), ModTime: at, Uname: "root", Gname: "root"}
		if e.file == "" {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if err := copyFile(w, e); err != nil {
			return err
		}
	}
	return errors.Join(w.Close(), zipped.Close())
}

func writeZip(out io.Writer, entries []entry, at time.Time) error {
	w := zip.NewWriter(out)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: at}
		h.SetMode(e.mode)
		if e.file == "" {
			h.Method = zip.Store
			h.SetMode(e.mode | fs.ModeDir)
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			return err
		}
		if err := copyFile(f, e); err != nil {
			return err
		}
	}
	return w.Close()
}

func copyFile(to io.Writer, e entry) error {
	if e.file == "" {
		return nil
	}
	f, err := os.Open(e.file)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, f)
	return errors.Join(err, f.Close())
}

// zipFiles replaces each file by one with .gz at its end. What gzip of a machine makes of it differs from one version to another.
func zipFiles(files []string) error {
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			return err
		}
		_, err = w.Write(text)
		if err = errors.Join(err, w.Close()); err != nil {
			return err
		}
		if err := errors.Join(os.WriteFile(name+".gz", b.Bytes(), 0o644), os.Remove(name)); err != nil {
			return err
		}
	}
	return nil
}
