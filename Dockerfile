# The grader, for machines that cannot jail student code themselves: macOS, Windows, a locked-down server.
#
#   docker build -t course-grader .
#   docker run --rm -v "$PWD/build:/course/build" course-grader grade build/submitted
#
# Inside a plain container user namespaces are forbidden, so the grader says that it uses Landlock (a Linux 5.13 or newer
# underneath). For its strongest jail add:  --security-opt seccomp=unconfined --security-opt apparmor=unconfined --cap-add SYS_ADMIN
FROM python:3.12-slim

RUN apt-get update \
    && apt-get install -y --no-install-recommends bubblewrap libseccomp2 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /course
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY course course
COPY autograde autograde
# The smaller build of PyTorch: grading needs no GPU.
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu -c constraints.txt -e '.[postgres]'

COPY nbgrader_config.py ./
COPY solutions solutions
COPY notebooks notebooks
COPY data data

ENTRYPOINT ["course"]
CMD ["--help"]
